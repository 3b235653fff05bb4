import { useEffect, useState } from "preact/hooks";
import type { Query } from "../../address";
import { knownRuns } from "../../api/clients";
import { type Explanation, explain } from "../../api/explain";
import { type Run, RunState } from "../../api/stubs/backcast/gateway/v1/run_service_pb";
import { ErrorNotice } from "../../components/notice";
import { counted, secondsOf, time } from "../../format";
import { queryOfId } from "./address";

interface Props {
  /** The runs are listed anew whenever this changes. */
  readonly version: number;
  readonly onAdd: (query: Query) => void;
}

/** Adds one of the runs that the gateway knows. */
export function RunPicker({ version, onAdd }: Props) {
  const [listed, setListed] = useState<readonly Run[]>();
  const [chosen, setChosen] = useState("");
  const [error, setError] = useState<Explanation>();
  useEffect(() => {
    const abort = new AbortController();
    knownRuns(abort.signal).then(
      (runs) => setListed(runs.filter(isComparable).reverse()),
      (thrown) => {
        if (!abort.signal.aborted) setError(explain(thrown));
      },
    );
    return () => abort.abort();
  }, [version]);
  const add = async () => {
    try {
      onAdd(await queryOfId(chosen));
      setChosen("");
      setError(undefined);
    } catch (thrown) {
      setError(explain(thrown));
    }
  };
  return (
    <>
      {error && <ErrorNotice error={error} />}
      {listed?.length === 0 ? (
        <p>The gateway knows no run. Start one on the view Run; it can be added here then.</p>
      ) : (
        <div class="row">
          <label for="compare-run">Run</label>
          <select
            id="compare-run"
            value={chosen}
            onChange={(event) => setChosen(event.currentTarget.value)}
            disabled={listed === undefined}
          >
            <option value="">Choose a run</option>
            {listed?.map((run) => (
              <option key={run.runId} value={run.runId}>
                {`${run.strategy}, ${counted(run.backtestCount, "crypto")}` +
                  (run.startTime ? `, started ${time(secondsOf(run.startTime))}` : "") +
                  ` (${run.runId})`}
              </option>
            ))}
          </select>
          <button type="button" onClick={add} disabled={chosen === ""}>
            Add
          </button>
        </div>
      )}
    </>
  );
}

function isComparable({ method, state }: Run): boolean {
  return method === "RunBacktests" && (state === RunState.COMPLETED || state === RunState.RUNNING);
}
