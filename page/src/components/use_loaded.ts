import { useEffect, useState } from "preact/hooks";
import type { Explanation } from "../api/explain";
import { token } from "../api/transport";
import { whileAway } from "../api/while_away";

interface Loaded<T> {
  /** What was loaded last; undefined until it is there. */
  readonly value?: T;
  /** Why it could not be loaded, or not again. */
  readonly error?: Explanation | undefined;
}

/**
 * Load something, again while the gateway is away, and again with a new token.
 *
 * What is loaded depends on `inputs`: when they change, what was loaded before is gone. When `version` changes, it
 * stays until the new one is there. `set` puts in place what the gateway has answered since.
 */
export function useLoaded<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
  version?: unknown,
): Loaded<T> & { readonly set: (value: T) => void } {
  const [loaded, setLoaded] = useState<Loaded<T>>({});
  const carried = token.value;
  useEffect(() => setLoaded({}), inputs);
  useEffect(() => {
    const left = new AbortController();
    const fail = (error: Explanation) => {
      if (!left.signal.aborted) setLoaded((before) => ({ ...before, error }));
    };
    whileAway(() => load(left.signal), fail, left.signal).then(
      (value) => {
        if (!left.signal.aborted) setLoaded({ value });
      },
      // The error is shown already.
      () => {},
    );
    return () => left.abort();
  }, [...inputs, version, carried]);
  return { ...loaded, set: (value) => setLoaded({ value }) };
}
