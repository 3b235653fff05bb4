import { Code } from "@connectrpc/connect";
import type { Query } from "../../address";
import type { Explanation } from "../../api/explain";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { CacheState } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { Edited } from "../../components/edited";
import { Cancelling, ErrorNotice, ImportLink, Notice } from "../../components/notice";
import { ProgressBar } from "../../components/progress";
import { useClock } from "../../components/use_clock";
import { counted, day, lasting, secondsOf } from "../../format";
import { candleWords, queryOf } from "../../request";
import { parameterWords, specOf } from "../../spec";
import { strategies } from "../../state/lists";
import { isUnderWay } from "../../state/phase";
import { type RunSnapshot, run } from "../../state/run";
import { downloadCsv, downloadJson } from "./download";
import { Failures } from "./failures";
import { ResultsTable } from "./results_table";
import { Summary } from "./summary";

/** A run: its progress, its summary, what went wrong, and its results. */
export function RunResults({
  query,
  started,
  onRun,
}: {
  query: Query;
  started: RunStarted | undefined;
  /** Run what the address says. */
  onRun: () => void;
}) {
  const shown = run.value;
  const { phase, results, failures, summary, error, cancelling, cancelError } = shown;
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
      {startable && <Startable query={query} error={error} onRun={onRun} />}
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

/** A run that the gateway does not know, or not any more, and that its address can start. */
function Startable({ query, error, onRun }: { query: Query; error: Explanation; onRun: () => void }) {
  const described = strategies.items.value;
  const wrong = described === undefined ? [] : Object.values(specOf(query, described).problems);
  if (wrong.length > 0)
    return (
      <Notice kind="error" sentence="The address does not describe a backtest." advice={wrong.join(" ")} />
    );
  return (
    <ErrorNotice error={error}>
      <button type="button" onClick={onRun}>
        Run this
      </button>
    </ErrorNotice>
  );
}

function titleOf({ request, cryptoCount }: RunStarted): string {
  const spec = request?.spec;
  return `${spec === undefined ? "" : strategyWords(spec)} on ${counted(cryptoCount, "crypto")}, ${candleWords(spec)}`;
}

/** The strategy with the parameters that are not its defaults: ma_cross (fast 10). */
function strategyWords(spec: BacktestSpec): string {
  const { strategy = "", ...query } = queryOf(spec, strategies.items.value ?? []);
  const parameters = parameterWords(query);
  return parameters.length === 0 ? strategy : `${strategy} (${parameters.join(", ")})`;
}

function Waiting({ shown: { error, retryAt } }: { shown: RunSnapshot }) {
  const leftMs = Math.max(0, retryAt - useClock(500));
  const again = leftMs < 1000 ? "It is tried again now." : `It is tried again in ${lasting(leftMs)}.`;
  const kept = "Nothing is lost: the run goes on where it was.";
  return (
    <Notice
      kind="warning"
      sentence={error!.sentence}
      advice={`${again} ${error!.retryMs === undefined ? kept : ""}`}
    />
  );
}

const MOST_SYMBOLS = 5;

/** What the run leaves out, in a sentence each. */
function LeftOut({ started: { leftOut, cryptosWithLaterCandles: later } }: { started: RunStarted }) {
  if (leftOut.length === 0 && later === 0) return null;
  const named = leftOut.slice(0, MOST_SYMBOLS).map(({ symbol }) => symbol);
  const [first] = leftOut;
  return (
    <p class="quiet">
      {leftOut.length === 1 &&
        first?.firstCandleTime !== undefined &&
        first.lastCandleTime !== undefined &&
        `${first.symbol} (${day(secondsOf(first.firstCandleTime))} to ${day(secondsOf(first.lastCandleTime))}) is left out: it has no whole candle in the window. `}
      {leftOut.length > 1 &&
        `${counted(leftOut.length, "crypto")} are left out, as they have no whole candle in the window (${named.join(", ")}${leftOut.length > MOST_SYMBOLS ? ", …" : ""}). `}
      {later > 0 &&
        `${later === 1 ? "1 crypto has" : `${counted(later, "crypto")} have`} candles after the window's end: choose another one with Until.`}
    </p>
  );
}
