import { useState } from "preact/hooks";
import type { Query } from "../../address";
import { knownRuns } from "../../api/clients";
import { type Run, RunState } from "../../api/stubs/backcast/gateway/v1/run_service_pb";
import { ErrorNotice } from "../../components/notice";
import { useLoaded } from "../../components/use_loaded";
import { counted, secondsOf, time } from "../../format";
import { queryOfId } from "./address";
import { useAdded } from "./use_added";

interface Props {
  /** The runs are listed anew whenever this changes. */
  readonly version: number;
  readonly onAdd: (query: Query) => void;
}

/** Adds one of the runs that the gateway knows. */
export function RunPicker({ version, onAdd }: Props) {
  const { value: listed, error: unlisted } = useLoaded(
    async (signal) => (await knownRuns(signal)).filter(isComparable).reverse(),
    [],
    version,
  );
  const [chosen, setChosen] = useState("");
  const added = useAdded(queryOfId, (query) => {
    setChosen("");
    onAdd(query);
  });
  const error = added.error ?? (unlisted?.wantsToken ? undefined : unlisted);
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
          <button type="button" onClick={() => added.add(chosen)} disabled={chosen === ""}>
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
