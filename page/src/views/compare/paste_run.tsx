import { useState } from "preact/hooks";
import type { Query } from "../../address";
import { TextField } from "../../components/fields";
import { ErrorNotice } from "../../components/notice";
import { runQuery } from "../../spec";
import { queryOfId } from "./address";
import { useAdded } from "./use_added";

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
  const [, path = "", search = ""] = /^([^?#]*\?)?([^#]*)/.exec(text) ?? [];
  if (!search.includes("=")) return await queryOfId(search);
  if (/\/sweep\?$/.test(path))
    throw new Error(
      "This is the address of a sweep. Open one of its combinations in the view Run, and paste the address of that",
    );
  const query: Query = Object.fromEntries(new URLSearchParams(search));
  if (query.strategy !== undefined) return runQuery(query);
  if (query.run !== undefined) return await queryOfId(query.run);
  throw new Error("This names no run. Paste an address of the view Run, or the id of a run");
}
