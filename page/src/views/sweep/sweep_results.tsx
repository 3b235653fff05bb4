import { useMemo } from "preact/hooks";
import type { Query } from "../../address";
import type { SweepStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { CacheState } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { Edited } from "../../components/edited";
import { Cancelling, ErrorNotice, ImportLink, Notice } from "../../components/notice";
import { ProgressBar } from "../../components/progress";
import { count, counted } from "../../format";
import { METRICS, metricOf } from "../../metrics";
import { candleWords } from "../../request";
import { sweep } from "../../state/sweep";
import { Failures } from "../run/failures";
import { BestTrials } from "./best_trials";
import { CombinationsTable } from "./combinations_table";
import { HeatMaps } from "./heat_maps";
import { ranked } from "./ranking";
import { Verdicts } from "./verdicts";
import { WalkForward } from "./walk_forward";
import { cutWords } from "./words";

interface Props {
  query: Query;
  onSweepCrypto: (symbol: string) => void;
}

/** A sweep: its progress, the best so far, and in the end the verdict, the map and the table. */
export function SweepResults({ query, onSweepCrypto }: Props) {
  const shown = sweep.value;
  const { phase, started, table, best, error, summary, failures, cancelling, cancelError } = shown;
  const rank = METRICS.find(({ number }) => number === started?.request?.metric) ?? metricOf("sharpe_ratio");
  const minTrades = started?.request?.minTrades ?? 1;
  const ranking = { metric: rank, minTrades };
  const done = phase === "completed" && table !== undefined;
  const bestRow = useMemo(
    () => (done && table.length > 0 ? ranked(table, ranking)[0] : undefined),
    [done, table, rank, minTrades],
  );
  const nothingYet = { completed: 0, failed: 0, fromCache: 0, total: started?.backtestCount ?? 0 };
  return (
    <>
      <div class="run-top">
        {started !== undefined && <h1>{titleOf(started)}</h1>}
        {query.results === shown.runId && <Edited action="Sweep" />}
        <ProgressBar shown={shown} progress={shown.progress ?? nothingYet} noun="the sweep" />
        <p class="unseen" role="status">
          {done ? `The sweep has completed: ${counted(table.length, "combination")}.` : ""}
        </p>
      </div>
      {(cancelling || (phase === "failed" && cancelError !== undefined)) && (
        <Cancelling what="The sweep" error={cancelError} />
      )}
      {phase === "waiting" && error !== undefined && (
        <Notice
          kind="warning"
          sentence={error.sentence}
          advice="The sweep is started again by itself; what was computed is in the cache."
        />
      )}
      {phase === "cancelled" && (
        <Notice
          kind="plain"
          sentence={`The sweep was cancelled; ${counted((shown.progress?.completed ?? 0) + (shown.progress?.failed ?? 0), "backtest")} of ${count(started?.backtestCount ?? 0)} were done.`}
          advice="Sweep again to go on: what was computed is in the cache."
        />
      )}
      {phase === "failed" && error !== undefined && !error.wantsToken && (
        <ErrorNotice error={error}>{error.reason.startsWith("NO_CANDLES") && <ImportLink />}</ErrorNotice>
      )}
      {summary?.cacheState === CacheState.UNAVAILABLE && (
        <Notice
          kind="warning"
          sentence="The cache does not answer: figures were computed, and not kept."
          advice="Figures are right, but the same sweep takes as long again until the cache is back."
        />
      )}
      {started !== undefined && <LeftOut started={started} />}
      {failures.length > 0 && <Failures failures={failures} version={shown.version} />}
      {done && <Verdicts shown={shown} rank={rank} />}
      {done && table.length > 0 && (
        <HeatMaps {...{ query, shown, table, rank, onSweepCrypto }} best={bestRow} />
      )}
      {done && summary?.walkForward !== undefined && (
        <WalkForward query={query} shown={shown} walk={summary.walkForward} rank={rank} />
      )}
      {done && table.length > 0 && <CombinationsTable {...{ query, shown, table, ranking }} />}
      {best.length > 0 && <BestTrials shown={shown} rank={rank} />}
    </>
  );
}

function titleOf(started: SweepStarted): string {
  const { request, combinationCount, skippedCombinationCount: skipped } = started;
  const spec = request?.spec;
  const strategy = spec?.strategy?.kind.case?.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) ?? "";
  const conflicting =
    skipped > 0 ? ` (${count(skipped)} more ${skipped === 1 ? "conflicts" : "conflict"})` : "";
  return (
    `${strategy}: ${counted(combinationCount, "combination")}${conflicting} on ` +
    `${counted(request?.symbols.length ?? 0, "crypto")}, ${candleWords(spec)}${cutWords(started)}`
  );
}

function LeftOut({ started: { leftOut } }: { started: SweepStarted }) {
  if (leftOut.length === 0) return null;
  const named = leftOut.slice(0, 5).map(({ symbol }) => symbol);
  return (
    <p class="quiet">
      {counted(leftOut.length, "crypto")} {leftOut.length === 1 ? "is" : "are"} left out, with no whole candle
      in the window ({named.join(", ")}
      {leftOut.length > named.length ? ", …" : ""}).
    </p>
  );
}
