import { useEffect, useState } from "preact/hooks";
import type { Query } from "../../address";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { CacheState } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { ErrorNotice, Notice } from "../../components/notice";
import { ProgressBar } from "../../components/progress";
import { counted, day, lasting, millisecondsOf, secondsOf, time } from "../../format";
import { queryOf } from "../../request";
import { INTERVALS } from "../../spec";
import { strategies } from "../../state/lists";
import { type RunSnapshot, run } from "../../state/run";
import { downloadCsv, downloadJson } from "./download";
import { Failures } from "./failures";
import { ResultsTable } from "./results_table";
import { Summary } from "./summary";

/** A run: its progress, its summary, what went wrong, and its results. */
export function RunResults({ query, started }: { query: Query; started: RunStarted | undefined }) {
  const shown = run.value;
  const { phase, results, failures, summary, error } = shown;
  const underWay = phase === "running" || phase === "waiting";
  return (
    <>
      <div class="run-top">
        {started !== undefined && <h1>{titleOf(started)}</h1>}
        {(underWay || shown.progress !== undefined) && <Elapsed shown={shown} underWay={underWay} />}
        <p class="unseen" role="status">
          {phase === "completed" ? `The run has completed: ${counted(results.length, "result")}.` : ""}
        </p>
      </div>
      {phase === "waiting" && error !== undefined && <Waiting shown={shown} />}
      {phase === "cancelled" && (
        <Notice
          kind="plain"
          sentence={`The run was cancelled; ${counted(results.length, "result")} had come.`}
          advice="Run again to go on: what was computed is in the cache."
        />
      )}
      {phase === "failed" && error !== undefined && !error.wantsToken && (
        <ErrorNotice error={error}>
          {error.reason === "NO_CANDLES" && (
            <a class="button" href="/data">
              Import candles
            </a>
          )}
        </ErrorNotice>
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
        <ResultsTable
          query={query}
          results={results}
          version={shown.version}
          underWay={underWay}
          started={started}
        >
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
  const interval = INTERVALS.find(({ number }) => number === spec?.interval);
  const window =
    spec?.startTime === undefined || spec.endTime === undefined
      ? ""
      : `, ${time(secondsOf(spec.startTime))} to ${time(secondsOf(spec.endTime))}`;
  return `${spec === undefined ? "" : strategyWords(spec)} on ${counted(cryptoCount, "crypto")}, candles of ${interval?.label ?? "1 hour"}${window}`;
}

/** The strategy with the parameters that are not its defaults: ma_cross (fast 10). */
function strategyWords(spec: BacktestSpec): string {
  const { strategy = "", ...query } = queryOf(spec, strategies.items.value ?? []);
  const parameters = Object.entries(query)
    .filter(([name]) => name.startsWith("p."))
    .map(([name, value]) => `${name.slice(2)} ${value}`);
  return parameters.length === 0 ? strategy : `${strategy} (${parameters.join(", ")})`;
}

/** The progress bar, whose clock goes on between events. */
function Elapsed({ shown, underWay }: { shown: RunSnapshot; underWay: boolean }) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!underWay) return;
    const timer = setInterval(() => tick((times) => times + 1), 250);
    return () => clearInterval(timer);
  }, [underWay]);
  const elapsedMs =
    shown.summary?.elapsed === undefined
      ? (shown.endedAt ?? performance.now()) - shown.beganAt
      : millisecondsOf(shown.summary.elapsed);
  return <ProgressBar progress={shown.progress} elapsedMs={elapsedMs} underWay={underWay} noun="the run" />;
}

function Waiting({ shown: { error, retryAt } }: { shown: RunSnapshot }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((times) => times + 1), 500);
    return () => clearInterval(timer);
  }, []);
  const leftMs = Math.max(0, retryAt - performance.now());
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
