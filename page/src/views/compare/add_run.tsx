import { useEffect, useState } from "preact/hooks";
import { runs as service } from "../../api/clients";
import { explain } from "../../api/explain";
import type { Run } from "../../api/stubs/backcast/gateway/v1/run_service_pb";
import { tokenWanted } from "../../api/transport";
import { ChoiceField, TextField } from "../../components/fields";
import { counted, secondsOf, time } from "../../format";

interface Props {
  /** The ids of runs that are there already. */
  taken: readonly (string | undefined)[];
  onAdd: (text: string) => void;
}

/** Adds a run: one of the recent ones, or one whose address or id is pasted. */
export function AddRun({ taken, onAdd }: Props) {
  const [text, setText] = useState("");
  const recent = useRecentRuns().filter(({ runId }) => !taken.includes(runId));
  return (
    <form
      class="compare-add"
      aria-label="Add a run"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() === "") return;
        onAdd(text);
        setText("");
      }}
    >
      <ChoiceField
        label="Add a recent run"
        value=""
        onChange={(runId) => {
          if (runId !== "") onAdd(runId);
        }}
        choices={[
          { value: "", label: recent.length === 0 ? "there is no other one" : "choose one" },
          ...recent.map((run) => ({ value: run.runId, label: recentWords(run) })),
        ]}
      />
      <TextField
        label="or an address of the view Run, or a run's id"
        value={text}
        onChange={setText}
        placeholder="http://…/?strategy=rsi&run=…"
      />
      <button type="submit" disabled={text.trim() === ""}>
        Add
      </button>
    </form>
  );
}

function recentWords({ runId, strategy, backtestCount, startTime }: Run): string {
  const clock = startTime === undefined ? "" : time(secondsOf(startTime));
  return `${strategy} on ${counted(backtestCount, "crypto")}, ${clock}, ${runId}`;
}

/** The recent runs that can be compared, newest first. */
function useRecentRuns(): readonly Run[] {
  const [listed, setListed] = useState<readonly Run[]>([]);
  useEffect(() => {
    const left = new AbortController();
    service.listRuns({ pageSize: 10_000 }, { signal: left.signal }).then(
      ({ runs }) => setListed(runs.filter(({ method }) => method === "RunBacktests").reverse()),
      (error) => {
        // The list is a convenience: the runs themselves say what is wrong.
        if (!left.signal.aborted && explain(error).wantsToken) tokenWanted.value = true;
      },
    );
    return () => left.abort();
  }, []);
  return listed;
}
