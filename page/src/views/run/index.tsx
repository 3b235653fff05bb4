/** The view Run: a form, and the results of the run as they come. */

import "./run.css";
import { address } from "../../address";
import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { ListNotices } from "../../components/list_notices";
import { useFollowedRun } from "../../components/use_followed_run";
import { queryOfRun, requestOf } from "../../request";
import { fieldOf } from "../../spec";
import { isUnderWay } from "../../state/phase";
import { run } from "../../state/run";
import { RunForm } from "./run_form";
import { RunResults } from "./run_results";

export default function RunView() {
  const { query } = address.value;
  const { runId } = run.value;
  const { problems, edit, results, start } = useFollowedRun(run, {
    view: "run",
    requestOf,
    queryOf,
    fieldOf,
    shownBy: ["sort", "filter"],
  });
  return (
    <main id="main" class="run">
      <RunForm
        query={query}
        problems={problems}
        underWay={isUnderWay(run.value)}
        onChange={edit}
        onSubmit={start}
        onCancel={() => void run.cancel()}
      />
      <div class="stack" ref={results}>
        <ListNotices nothingShown={runId === ""} />
        {runId === "" ? <Nothing /> : <RunResults key={runId} query={query} onRun={start} />}
      </div>
    </main>
  );
}

function Nothing() {
  return (
    <div class="nothing quiet">
      <p>Choose a strategy and press Run: it is backtested on every crypto, and results show as they come.</p>
    </div>
  );
}

async function queryOf(started: RunStarted) {
  return { ...(await queryOfRun(started)), exclude: started.request?.exclude.join(",") };
}
