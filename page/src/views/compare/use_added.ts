import { useEffect, useState } from "preact/hooks";
import type { Query } from "../../address";
import type { Explanation } from "../../api/explain";
import { useLoaded } from "../../components/use_loaded";

/** Return what adds the run that `text` names once its query is known, and why its query cannot be known. */
export function useAdded(
  queryOf: (text: string, signal: AbortSignal) => Promise<Query>,
  onAdd: (query: Query) => void,
): { readonly add: (text: string) => void; readonly error: Explanation | undefined } {
  const [asked, setAsked] = useState<{ readonly text: string }>();
  const { value, error } = useLoaded(async (signal) => asked && (await queryOf(asked.text, signal)), [asked]);
  useEffect(() => {
    if (value === undefined) return;
    setAsked(undefined);
    onAdd(value);
  }, [value]);
  return { add: (text) => setAsked({ text }), error: error?.wantsToken ? undefined : error };
}
