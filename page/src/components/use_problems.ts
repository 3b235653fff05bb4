import { useEffect, useState } from "preact/hooks";
import { address, change, type Query } from "../address";
import { type Explanation, sentenceOf, type Violation } from "../api/explain";
import type { Problems } from "../execution";

/**
 * What is wrong with the fields of a form: what the page found before it asked, or what the gateway refused with
 * `error`. `fieldOf` names the field of a violation.
 */
export function useProblems(
  error: Explanation | undefined,
  fieldOf: (violation: Violation) => string | undefined,
) {
  const [problems, setProblems] = useState<Problems>({});

  useEffect(() => {
    const refused: Problems = {};
    for (const violation of error?.violations ?? []) {
      const name = fieldOf(violation);
      if (name !== undefined) refused[name] ??= sentenceOf(violation.description);
    }
    setProblems(refused);
  }, [error]);

  return {
    problems,
    /** Change fields; they are not marked any more. */
    edit(changes: Query): void {
      setProblems((before) =>
        Object.fromEntries(Object.entries(before).filter(([name]) => !(name in changes))),
      );
      // The address of a run keeps the run's own fields: a link, a reload or Back shows what was run. What is edited
      // gets an address of its own, which names the run as that whose results are still shown.
      const { run } = address.peek().query;
      if (run === undefined) change(changes);
      else change({ ...changes, run: undefined, results: run }, { push: true });
    },
    /** Mark the fields of `found` alone, and go to the first one; return whether there is one. */
    mark(found: Problems): boolean {
      setProblems(found);
      const [first] = Object.keys(found);
      if (first === undefined) return false;
      const field = document.querySelector<HTMLElement>(
        `[data-field="${first}"] :is(input, select, textarea)`,
      );
      // It may be folded away.
      field?.closest("details")?.setAttribute("open", "");
      field?.focus();
      return true;
    },
  };
}
