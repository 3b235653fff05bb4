import { useEffect, useState } from "preact/hooks";

/** Return performance.now(); while the clock `goes`, the component is drawn anew every so many milliseconds. */
export function useClock(everyMs: number, goes = true): number {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!goes) return;
    const timer = setInterval(() => tick((times) => times + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, goes]);
  return performance.now();
}
