import { useLayoutEffect, useState } from "preact/hooks";

/** The width of an element in CSS pixels, as it changes; 0 before it is known. */
export function useWidth(element: { readonly current: Element | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measured = element.current as Element;
    const watch = new ResizeObserver(() => setWidth(measured.clientWidth));
    setWidth(measured.clientWidth);
    watch.observe(measured);
    return () => watch.disconnect();
  }, [element]);
  return width;
}
