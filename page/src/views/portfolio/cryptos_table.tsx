import { useCallback, useMemo } from "preact/hooks";
import { change, go, type Query } from "../../address";
import type { PortfolioCrypto, PortfolioResult } from "../../api/stubs/backcast/backtest/v1/portfolio_pb";
import type { PortfolioStarted } from "../../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import { type Column, VirtualTable } from "../../components/virtual_table";
import { count, counted, decimal, signedPercent } from "../../format";
import { compareFigures, nextOrder, parseOrder } from "../../order";
import { backtestQuery } from "../../spec";
import { portfolio } from "../../state/portfolio";
import { SKIPPED, skippedOf } from "./skipped";

interface FigureColumn extends Column {
  readonly value: (crypto: PortfolioCrypto) => number;
  readonly show: (value: number, capital: number) => string;
  readonly signed?: boolean;
}

const SYMBOL: Column = { name: "symbol", heading: "Crypto", width: 128, left: true };

const FIGURES: readonly FigureColumn[] = [
  {
    name: "contribution",
    heading: "Contribution",
    help: "Profit of all its trades, in the quote currency. The contributions add up to the change of the equity.",
    width: 124,
    value: ({ contribution }) => contribution,
    show: (value) => decimal(value),
    signed: true,
  },
  {
    name: "share",
    heading: "Of the capital",
    help: "Contribution over the initial capital.",
    width: 124,
    value: ({ contribution }) => contribution,
    show: (value, capital) => signedPercent(value / capital, 2),
    signed: true,
  },
  {
    name: "turnover",
    heading: "Turnover",
    help: "Value of all its fills, in the quote currency.",
    width: 124,
    value: ({ turnover }) => turnover,
    show: (value) => count(value),
  },
  {
    name: "trade_count",
    heading: "Trades",
    help: "Number of closed trades.",
    width: 80,
    value: ({ tradeCount }) => tradeCount,
    show: (value) => count(value),
  },
  {
    name: "open_trade_count",
    heading: "Open",
    help: "Number of trades still open at the end.",
    width: 72,
    value: ({ openTradeCount }) => openTradeCount,
    show: (value) => count(value),
  },
  {
    name: "skipped",
    heading: "Skipped",
    help: "Entries that a signal asked for and that were not made. A signal that holds for ten candles counts ten times.",
    width: 92,
    value: skippedOf,
    show: (value) => count(value),
  },
  ...SKIPPED.map(({ field, heading, words }) => ({
    name: `skipped_${field}`,
    heading,
    help: `Entries that ${words}.`,
    width: 92,
    value: ({ skipped }: PortfolioCrypto) => skipped?.[field] ?? 0,
    show: (value: number) => count(value),
  })),
];
const COLUMNS: readonly Column[] = [SYMBOL, ...FIGURES];
const BY_NAME = new Map(FIGURES.map((one) => [one.name, one]));
const USUAL_ORDER = "contribution";

/** What each crypto did in the account, by default the greatest contribution first. */
export function CryptosTable({
  query,
  result,
  started,
}: {
  query: Query;
  result: PortfolioResult;
  started: PortfolioStarted;
}) {
  const capital = started.request?.spec?.execution?.initialCapital ?? 10_000;
  const { cryptos } = result;
  const order = query.sort ?? USUAL_ORDER;
  const { column, reversed } = parseOrder(order);
  const rows = useMemo(() => ordered(cryptos, column, reversed), [cryptos, column, reversed]);
  const cell = useCallback(
    (crypto: PortfolioCrypto, { name }: Column) => {
      const figure = BY_NAME.get(name);
      if (figure === undefined) return crypto.symbol;
      const value = figure.value(crypto);
      const text = figure.show(value, capital);
      if (!figure.signed || value === 0) return text;
      return <span class={value < 0 ? "loss" : "gain"}>{text}</span>;
    },
    [capital],
  );
  return (
    <section class="stack" aria-labelledby="contributions">
      <h2 id="contributions">What {counted(cryptos.length, "crypto")} contributed</h2>
      <div class="contributions">
        <VirtualTable
          label="Cryptos of the account"
          columns={COLUMNS}
          items={rows}
          keyOf={symbolOf}
          cell={cell}
          sorting={{ column, descending: (column === SYMBOL.name) === reversed }}
          onSort={({ name }) => change({ sort: nextOrder(order, name) })}
          onOpen={({ symbol }) => go("crypto", { symbol, ...backtestQuery(portfolio.peek().query ?? {}) })}
          empty="The account has no crypto."
        />
      </div>
    </section>
  );
}

const symbolOf = ({ symbol }: PortfolioCrypto) => symbol;

/** Order cryptos, which come by symbol: the greatest figure first or, with `reversed`, the smallest. */
function ordered(cryptos: readonly PortfolioCrypto[], column: string, reversed: boolean): PortfolioCrypto[] {
  const figure = BY_NAME.get(column);
  if (figure === undefined) return reversed ? [...cryptos].reverse() : [...cryptos];
  const { value } = figure;
  return [...cryptos].sort((left, right) => compareFigures(value(left), value(right), !reversed));
}
