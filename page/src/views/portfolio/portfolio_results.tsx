import { Code } from "@connectrpc/connect";
import { useMemo } from "preact/hooks";
import { change, type Query } from "../../address";
import type { PortfolioResult } from "../../api/stubs/backcast/backtest/v1/portfolio_pb";
import { PortfolioSize } from "../../api/stubs/backcast/backtest/v1/portfolio_pb";
import type { PortfolioStarted } from "../../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import { CacheState } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { MonthsGrid } from "../../charts/months_grid";
import { Edited } from "../../components/edited";
import { Cancelling, ErrorNotice, ImportLink, Notice } from "../../components/notice";
import { ProgressBar } from "../../components/progress";
import { LeftOut, Startable, Waiting } from "../../components/run_states";
import { TradesTable } from "../../components/trades_table";
import { counted, lasting, millisecondsOf, percent } from "../../format";
import { candleWords, strategyWords } from "../../request";
import { specOf } from "../../spec";
import { strategies } from "../../state/lists";
import { isUnderWay } from "../../state/phase";
import { type PortfolioSnapshot, portfolio } from "../../state/portfolio";
import { AccountChart } from "./account_chart";
import { AccountFigures } from "./account_figures";
import { CryptosTable } from "./cryptos_table";
import { Downloads } from "./downloads";
import { ownProblems } from "./request";
import { strategyProblems } from "./strategies";

/** A portfolio: its progress, what went wrong, and the account. */
export function PortfolioResults({
  query,
  onRun,
}: {
  query: Query;
  /** Run what the address says. */
  onRun: () => void;
}) {
  const shown = portfolio.value;
  const { phase, started, progress, result, summary, error, cancelling, cancelError } = shown;
  const underWay = isUnderWay(shown);
  const startable =
    error?.code === Code.NotFound && shown.runId === query.run && query.strategy !== undefined;
  return (
    <>
      <div class="run-top">
        {started !== undefined && (
          <>
            <h1>{titleOf(started)}</h1>
            <p class="quiet">{accountWords(started, shown.query)}</p>
          </>
        )}
        {query.results === shown.runId && <Edited action="Run" />}
        {underWay && <ProgressBar shown={shown} progress={progressOf(shown)} noun="the portfolio" />}
        {underWay && progress !== undefined && progress.completed === progress.total && (
          <p class="quiet">The signals are there; the account is trading.</p>
        )}
        {result !== undefined && summary?.elapsed !== undefined && (
          <p class="quiet">
            {result.fromCache ? "From the cache, in" : "Computed in"}{" "}
            {lasting(millisecondsOf(summary.elapsed))}
          </p>
        )}
        <p class="unseen" role="status">
          {phase === "completed" ? "The portfolio has completed." : ""}
        </p>
      </div>
      {phase === "waiting" && !cancelling && error !== undefined && <Waiting shown={shown} />}
      {underWay && (cancelling || cancelError !== undefined) && (
        <Cancelling what="The portfolio" error={cancelError} />
      )}
      {phase === "cancelled" && <Notice kind="plain" sentence="The portfolio was cancelled." />}
      {startable && <Startable wrong={wrongWith(query)} error={error} onRun={onRun} />}
      {phase === "failed" && !startable && error !== undefined && !error.wantsToken && (
        <ErrorNotice error={error}>{error.reason === "NO_CANDLES" && <ImportLink />}</ErrorNotice>
      )}
      {summary?.cacheState === CacheState.UNAVAILABLE && (
        <Notice
          kind="warning"
          sentence="The cache does not answer: the result was computed, and not kept."
          advice="It is right, but the same portfolio takes as long again until the cache is back."
        />
      )}
      {started !== undefined && <LeftOut started={started} />}
      {result !== undefined && started !== undefined && (
        <>
          <Downloads shown={shown} result={result} />
          <Account query={query} result={result} started={started} />
        </>
      )}
    </>
  );
}

function Account({
  query,
  result,
  started,
}: {
  query: Query;
  result: PortfolioResult;
  started: PortfolioStarted;
}) {
  const traded = useMemo(() => namesOf(started), [started, strategies.items.value]);
  const { trades, symbols, owners } = useMemo(
    () => ({
      trades: result.trades.flatMap(({ trade }) => trade ?? []),
      symbols: result.trades.map(({ symbol }) => symbol),
      owners:
        traded.length > 1
          ? {
              numbers: result.trades.map(({ strategy }) => strategy),
              names: traded.map((name, index) => `${index + 1}: ${name}`),
            }
          : undefined,
    }),
    [result, traded],
  );
  const months = useMemo(
    () =>
      result.monthlyReturns.map(({ year, month, returnFraction }) => ({
        year,
        month,
        fraction: returnFraction,
      })),
    [result],
  );
  return (
    <>
      {result.curve !== undefined && <AccountChart result={result} started={started} />}
      <AccountFigures result={result} />
      <CryptosTable query={query} result={result} started={started} />
      {result.curve !== undefined && (
        <>
          <section class="stack" aria-labelledby="trades">
            <h2 id="trades">{counted(trades.length, "trade")}</h2>
            <div class="trades">
              <TradesTable
                trades={trades}
                symbols={symbols}
                strategies={owners}
                selected={null}
                onSelect={() => {}}
                order={query.trades}
                onOrder={(trades) => change({ trades })}
              />
            </div>
          </section>
          <section class="stack" aria-labelledby="months">
            <h2 id="months">Return by month, in percent</h2>
            <MonthsGrid months={months} />
          </section>
        </>
      )}
    </>
  );
}

/** The progress of the signals, as the bar has it. */
function progressOf({ progress, started }: PortfolioSnapshot) {
  const { completed = 0, total = started?.cryptoCount ?? 0 } = progress ?? {};
  return { completed, total, failed: 0, fromCache: 0 };
}

/** The strategies of the account, each in a few words. */
function namesOf({ request }: PortfolioStarted): string[] {
  const described = strategies.items.value ?? [];
  return (request?.spec?.strategies ?? []).map(({ strategy }) => strategyWords(strategy, described));
}

function titleOf(started: PortfolioStarted): string {
  const { request, cryptoCount } = started;
  const { spec } = request ?? {};
  const named = namesOf(started).map((words, index, { length }) =>
    length > 1 ? `${percent(spec?.strategies[index]?.weight)} ${words}` : words,
  );
  return `${named.join(", ")} in one account of ${counted(cryptoCount, "crypto")}, ${candleWords(spec)}`;
}

/** How the account is divided, in one line. */
function accountWords({ request }: PortfolioStarted, query: Query | undefined): string {
  const { strategies: traded = [], maxPositions, size, rank, rebalancing } = request?.spec ?? {};
  const places = counted(maxPositions ?? 0, "place");
  const words = [traded.length > 1 ? `${places} for each strategy` : places];
  words.push(size === PortfolioSize.EQUAL ? "equal shares" : "sizes of the execution");
  if (rank !== undefined) words.push(query?.rank === undefined ? "ranked" : `higher ${query.rank} first`);
  if (rebalancing !== undefined) {
    const from = rebalancing.threshold ? ` from ${percent(rebalancing.threshold)} deviation on` : "";
    words.push(`rebalanced every ${counted(rebalancing.every, "candle")}${from}`);
  }
  return words.join(", ");
}

function wrongWith(query: Query): readonly string[] {
  const described = strategies.items.value;
  if (described === undefined) return [];
  const { problems } = specOf(query, described);
  return Object.values({ ...problems, ...strategyProblems(query, described), ...ownProblems(query) });
}
