import { useState } from "preact/hooks";
import type { Query } from "../../address";
import { TextField } from "../../components/fields";
import { ErrorNotice } from "../../components/notice";
import { queryOfId } from "./address";
import { useAdded } from "./use_added";

/** What belongs to the view Run and not to its backtest. */
const SHOWN = ["run", "sort", "filter"];

/** Adds a run whose address or id is pasted: one that somebody else has sent, for instance. */
export function PasteRun({ onAdd }: { readonly onAdd: (query: Query) => void }) {
  const [text, setText] = useState("");
  const { add, error } = useAdded(pasted, (query) => {
    setText("");
    onAdd(query);
  });
  return (
    <>
      <form
        class="compare-paste"
        aria-label="Add a run by its address"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") add(text.trim());
        }}
      >
        <TextField
          label="Or paste an address of the view Run, or a run's id"
          value={text}
          onChange={setText}
          placeholder="http://…/?strategy=rsi"
        />
        <button type="submit" disabled={text.trim() === ""}>
          Add the pasted run
        </button>
      </form>
      {error && <ErrorNotice error={error} />}
    </>
  );
}

async function pasted(text: string): Promise<Query> {
  const search = text.includes("?") ? text.slice(text.indexOf("?") + 1) : text;
  if (!search.includes("=")) return await queryOfId(search);
  const query: Record<string, string> = Object.fromEntries(new URLSearchParams(search));
  if (query.strategy === undefined && query.run !== undefined) return await queryOfId(query.run);
  return Object.fromEntries(Object.entries(query).filter(([name]) => !SHOWN.includes(name)));
}
