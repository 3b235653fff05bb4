/** One crypto of a run: candles, trades, equity, months, drawdowns, figures and data. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { address, change, encode, go, href, type Query } from "../../address";
import { backtests } from "../../api/clients";
import type { Explanation } from "../../api/explain";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { BacktestResult, Trade } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { whileAway } from "../../api/while_away";
import { MonthsGrid } from "../../charts/months_grid";
import { ErrorNotice, Notice } from "../../components/notice";
import { TradesTable } from "../../components/trades_table";
import { count, counted, price, secondsOf, signedPercent, time } from "../../format";
import { windowWords } from "../../request";
import { save } from "../../save";
import { backtestQuery, intervalOf, parameterWords, runQuery, strategyName } from "../../spec";
import { noteStarted } from "../../started";
import "../../charts/charts.css";
import { added } from "../compare/address";
import "./crypto.css";
import { CryptoChart, curvesOf } from "./crypto_chart";
import { curveCsv, tradesCsv } from "./csv";
import { DataPanel } from "./data_panel";
import { DrawdownsTable } from "./drawdowns_table";
import { AllFigures, KeyFigures } from "./figures";
import { type Crypto, useCrypto } from "./use_crypto";
import { VerifyPanel } from "./verify_panel";

export default function CryptoView() {
  const { query } = address.value;
  const { retry, ...crypto } = useCrypto(query);
  const { spec, result, error, problems } = crypto;
  const symbol = query.symbol;
  return (
    <main id="main" class="stack crypto">
      <header class="crypto-head">
        <div>
          <h1>{result?.symbol ?? symbol ?? "No crypto"}</h1>
          <p class="quiet">{describe(query, spec)}</p>
        </div>
        <a href={href("run", { ...runQuery(query), run: query.run })}>
          {query.run ? "Back to the run" : "Run it on other cryptos"}
        </a>
      </header>
      {symbol === undefined ? (
        <Notice
          kind="plain"
          sentence="The address names no crypto."
          advice="Open one from the table of a run."
        />
      ) : problems ? (
        <Notice
          kind="error"
          sentence="The address does not describe a backtest."
          advice={Object.values(problems).join(" ")}
        />
      ) : error ? (
        <ErrorNotice error={error}>
          <button type="button" onClick={retry}>
            Try again
          </button>
        </ErrorNotice>
      ) : spec && result ? (
        <Loaded query={query} spec={spec} result={result} crypto={crypto} retry={retry} />
      ) : (
        <p class="quiet" role="status">{`Backtesting ${symbol} …`}</p>
      )}
    </main>
  );
}

interface LoadedProps {
  readonly query: Query;
  readonly spec: BacktestSpec;
  readonly result: BacktestResult;
  readonly crypto: Crypto;
  readonly retry: () => void;
}

function Loaded({ query, spec, result, crypto, retry }: LoadedProps) {
  const { candles, series, chartError } = crypto;
  const [verifying, setVerifying] = useState(false);
  const curves = useMemo(() => curvesOf(spec, result, candles), [spec, result, candles]);
  const months = useMemo(
    () =>
      result.monthlyReturns.map(({ year, month, returnFraction }) => ({
        year,
        month,
        fraction: returnFraction,
      })),
    [result],
  );
  const selected = selectedTrade(query, result);
  const select = (trade: number) => change({ trade: String(trade + 1) });
  return (
    <>
      {result.metrics && <KeyFigures metrics={result.metrics} />}
      <Actions
        query={query}
        spec={spec}
        result={result}
        holding={curves.holding}
        verifying={verifying}
        onVerify={() => setVerifying(true)}
      />
      {verifying && <VerifyPanel symbol={result.symbol} spec={spec} onClose={() => setVerifying(false)} />}
      {chartError && (
        <ErrorNotice error={chartError}>
          <button type="button" onClick={retry}>
            Try again
          </button>
        </ErrorNotice>
      )}
      {candles && series ? (
        <CryptoChart {...{ result, candles, series, curves, selected }} onSelect={select} />
      ) : (
        !chartError && (
          <p class="chart-wait quiet" role="status">
            Loading the candles …
          </p>
        )
      )}
      {selected !== null && <p role="status">{tradeSentence(selected, result)}</p>}
      <section class="stack" aria-labelledby="trades">
        <h2 id="trades">{counted(result.trades.length, "trade")}</h2>
        <div class="trades">
          <TradesTable
            trades={result.trades}
            selected={selected}
            onSelect={select}
            order={query.sort}
            onOrder={(sort) => change({ sort })}
          />
        </div>
      </section>
      <section class="stack" aria-labelledby="months">
        <h2 id="months">Return by month, in percent</h2>
        <MonthsGrid months={months} />
      </section>
      <div class="crypto-columns">
        <DrawdownsTable curves={curves} capital={spec.execution?.initialCapital ?? 10_000} />
        <DataPanel result={result} />
      </div>
      {result.metrics && (
        <section class="stack" aria-labelledby="figures">
          <h2 id="figures">All figures</h2>
          <AllFigures metrics={result.metrics} />
        </section>
      )}
    </>
  );
}

interface ActionsProps {
  readonly query: Query;
  readonly spec: BacktestSpec;
  readonly result: BacktestResult;
  readonly holding: Float64Array | undefined;
  readonly verifying: boolean;
  readonly onVerify: () => void;
}

function Actions({ query, spec, result, holding, verifying, onVerify }: ActionsProps) {
  const [error, setError] = useState<Explanation>();
  const sweep = { ...backtestQuery(query), symbols: result.symbol };
  const saveCsv = (what: string, text: string) => save(`${result.symbol}-${what}.csv`, "text/csv", text);
  const left = useMemo(() => new AbortController(), []);
  useEffect(() => () => left.abort(), []);
  const asRules = () =>
    whileAway(() => rulesQuery(query, spec), setError, left.signal).then(
      (rules) => {
        if (!left.signal.aborted) go("run", rules);
      },
      // The error is shown already.
      () => {},
    );
  return (
    <>
      <div class="row">
        <button type="button" onClick={onVerify} disabled={verifying}>
          Verify for look-ahead
        </button>
        {strategyName(query) !== "rules" && (
          <button type="button" onClick={asRules}>
            As rules
          </button>
        )}
        <a class="button" href={href("sweep", sweep)}>
          Sweep this
        </a>
        <a
          class="button"
          href={href("compare", { ...added({}, runQuery(query)), symbol: result.symbol })}
          onClick={() => noteStarted(encode(runQuery(query)))}
        >
          Compare
        </a>
        <button type="button" onClick={() => saveCsv("trades", tradesCsv(result))}>
          Trades as CSV
        </button>
        <button type="button" onClick={() => saveCsv("equity", curveCsv(result, holding))}>
          Equity as CSV
        </button>
      </div>
      {error && !error.wantsToken && <ErrorNotice error={error} />}
    </>
  );
}

/** The query of the same run with the strategy written as rules. */
async function rulesQuery(query: Query, { strategy }: BacktestSpec): Promise<Query> {
  const { description } = await backtests.describeStrategy(strategy ? { strategy } : {});
  const others = Object.entries(runQuery(query)).filter(([name]) => !name.startsWith("p."));
  return {
    ...Object.fromEntries(others),
    strategy: "rules",
    entry: description?.entry,
    exit: description?.exit,
  };
}

/** The trade that the chart marks. */
function tradeSentence(index: number, { trades }: BacktestResult): string {
  const trade = trades[index] as Trade;
  const at = (stamp: Trade["entryTime"]) => time(secondsOf(stamp));
  const end = trade.open
    ? "still open at the end of the window"
    : `closed at ${at(trade.exitTime)} for ${price(trade.exitPrice)}`;
  return (
    `Trade ${count(index + 1)} of ${count(trades.length)}: ${trade.units < 0 ? "short" : "long"} from ` +
    `${at(trade.entryTime)} at ${price(trade.entryPrice)}, ${end}: ${signedPercent(trade.returnFraction, 2)}.`
  );
}

function selectedTrade(query: Query, result: BacktestResult): number | null {
  const index = Number(query.trade ?? Number.NaN) - 1;
  return Number.isInteger(index) && index in result.trades ? index : null;
}

/** Strategy, candles and window in a line. */
function describe(query: Query, spec: BacktestSpec | undefined): string {
  const name = strategyName(query);
  const rules = name === "rules" ? [`buy ${query.entry}`, ...(query.exit ? [`sell ${query.exit}`] : [])] : [];
  const parts = [[name, ...parameterWords(query), ...rules].join(", ")];
  if (spec) {
    const interval = intervalOf(spec);
    if (interval) parts.push(interval.label);
    parts.push(`${windowWords(spec)} UTC`);
  }
  return parts.join(" · ");
}
