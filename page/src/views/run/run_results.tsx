import { Code } from "@connectrpc/connect";
import type { Query } from "../../address";
import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { CacheState } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { Edited } from "../../components/edited";
import { Cancelling, ErrorNotice, ImportLink, Notice } from "../../components/notice";
import { ProgressBar } from "../../components/progress";
import { LeftOut, Startable, Waiting } from "../../components/run_states";
import { counted } from "../../format";
import { candleWords, strategyWords } from "../../request";
import { specOf } from "../../spec";
import { strategies } from "../../state/lists";
import { isUnderWay } from "../../state/phase";
import { run } from "../../state/run";
import { downloadCsv, downloadJson } from "./download";
import { Failures } from "./failures";
import { ResultsTable } from "./results_table";
import { Summary } from "./summary";

/** A run: its progress, its summary, what went wrong, and its results. */
export function RunResults({
  query,
  onRun,
}: {
  query: Query;
  /** Run what the address says. */
  onRun: () => void;
}) {
  const shown = run.value;
  const { phase, started, results, failures, summary, error, cancelling, cancelError } = shown;
  const underWay = isUnderWay(shown);
  const startable =
    error?.code === Code.NotFound && shown.runId === query.run && query.strategy !== undefined;
  return (
    <>
      <div class="run-top">
        {started !== undefined && <h1>{titleOf(started)}</h1>}
        {query.results === shown.runId && <Edited action="Run" />}
        {(underWay || shown.progress !== undefined) && (
          <ProgressBar shown={shown} progress={shown.progress} noun="the run" />
        )}
        <p class="unseen" role="status">
          {phase === "completed" ? `The run has completed: ${counted(results.length, "result")}.` : ""}
        </p>
      </div>
      {phase === "waiting" && !cancelling && error !== undefined && <Waiting shown={shown} />}
      {underWay && (cancelling || cancelError !== undefined) && (
        <Cancelling what="The run" error={cancelError} />
      )}
      {phase === "cancelled" && (
        <Notice
          kind="plain"
          sentence={`The run was cancelled; ${counted(results.length, "result")} had come.`}
          advice="Run again to go on: what was computed is in the cache."
        />
      )}
      {startable && <Startable wrong={wrongWith(query)} error={error} onRun={onRun} />}
      {phase === "failed" && !startable && error !== undefined && !error.wantsToken && (
        <ErrorNotice error={error}>{error.reason === "NO_CANDLES" && <ImportLink />}</ErrorNotice>
      )}
      {summary?.cacheState === CacheState.UNAVAILABLE && (
        <Notice
          kind="warning"
          sentence="The cache does not answer: results were computed, and not kept."
          advice="Results are right, but the same run takes as long again until the cache is back."
        />
      )}
      {(results.length > 1 || (underWay && (started?.cryptoCount ?? 0) > 1)) && (
        <Summary results={results} summary={summary} version={shown.version} />
      )}
      {started !== undefined && <LeftOut started={started} />}
      {failures.length > 0 && <Failures failures={failures} version={shown.version} />}
      {(results.length > 0 || underWay) && (
        <ResultsTable query={query} results={results} version={shown.version} underWay={underWay}>
          <button type="button" disabled={results.length === 0} onClick={() => downloadCsv(shown)}>
            CSV
          </button>
          <button type="button" disabled={results.length === 0} onClick={() => downloadJson(shown)}>
            JSON
          </button>
        </ResultsTable>
      )}
    </>
  );
}

function titleOf({ request, cryptoCount }: RunStarted): string {
  const spec = request?.spec;
  return `${strategyWords(spec?.strategy, strategies.items.value ?? [])} on ${counted(cryptoCount, "crypto")}, ${candleWords(spec)}`;
}

function wrongWith(query: Query): readonly string[] {
  const described = strategies.items.value;
  return described === undefined ? [] : Object.values(specOf(query, described).problems);
}
