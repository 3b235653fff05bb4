/** The metrics of a backtest: how each is named, shown and defined. The definitions are those of the API. */

import { Metric, type Metrics } from "./api/stubs/backcast/backtest/v1/result_pb";
import { count, decimal, percent, signedPercent } from "./format";

/** A field of Metrics. */
export type MetricField = Exclude<keyof Metrics, "$typeName" | "$unknown">;

export interface MetricInfo {
  readonly field: MetricField;
  /** The name in the API, in addresses and in files: sharpe_ratio. */
  readonly name: string;
  /** The number in the API's enum. */
  readonly number: Metric;
  /** The heading of a column. */
  readonly heading: string;
  /** The name in sentences and lists. */
  readonly label: string;
  readonly definition: string;
  /** True if the sign says whether it is a gain or a loss. */
  readonly signed: boolean;
  /** True if the smallest value is the best one. */
  readonly smallestIsBest: boolean;
  /** True if it counts as 0 over several cryptos where a crypto has no trade: its return is 0, too. */
  readonly zeroWithoutTrades: boolean;
  /** True if a typed 10 may stand for 10 %: the metric is a fraction. */
  readonly fraction: boolean;
  show(value: number | undefined): string;
}

type Kind = "gain" | "share" | "ratio" | "money" | "count";

const SHOWN: Readonly<Record<Kind, (value: number | undefined) => string>> = {
  gain: (value) => signedPercent(value),
  share: (value) => percent(value),
  ratio: decimal,
  money: decimal,
  count,
};

function metric(
  field: MetricField,
  heading: string,
  label: string,
  kind: Kind,
  definition: string,
  { smallestIsBest = false } = {},
): MetricInfo {
  const name = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return {
    field,
    name,
    number: Metric[name.toUpperCase() as keyof typeof Metric],
    heading,
    label,
    definition,
    signed: kind === "gain",
    fraction: kind === "gain" || kind === "share",
    zeroWithoutTrades: name.endsWith("_ratio"),
    smallestIsBest,
    show: SHOWN[kind],
  };
}

const LEAST = { smallestIsBest: true };

/** All metrics, in the order of the API. */
export const METRICS: readonly MetricInfo[] = [
  metric(
    "totalReturn",
    "Return",
    "total return",
    "gain",
    "Equity at the last close over the initial capital, minus 1.",
  ),
  metric(
    "finalEquity",
    "Equity",
    "final equity",
    "money",
    "Equity at the last close, in the quote currency. An open position counts at that close, without a fee for its sale.",
  ),
  metric(
    "buyAndHoldReturn",
    "Hold",
    "buy-and-hold return",
    "gain",
    "Return of buying and holding without fees and slippage: the last close over the first price at which a purchase fills, minus 1.",
  ),
  metric(
    "cagr",
    "CAGR",
    "compound annual growth rate",
    "gain",
    "Growth per year of 365.25 days, over the time from the opening of the first candle to the end of the last one. Undefined below 7 days.",
  ),
  metric(
    "annualVolatility",
    "Volatility",
    "annual volatility",
    "share",
    "Standard deviation of the candles' returns, per year of 365 days.",
    LEAST,
  ),
  metric(
    "sharpeRatio",
    "Sharpe",
    "Sharpe ratio",
    "ratio",
    "Mean over standard deviation of the candles' returns, per year of 365 days, without a risk-free rate.",
  ),
  metric(
    "sortinoRatio",
    "Sortino",
    "Sortino ratio",
    "ratio",
    "Mean return over the root of the mean squared negative return, per year of 365 days.",
  ),
  metric(
    "calmarRatio",
    "Calmar",
    "Calmar ratio",
    "ratio",
    "Compound annual growth rate over maximum drawdown.",
  ),
  metric(
    "maxDrawdown",
    "Drawdown",
    "maximum drawdown",
    "share",
    "The greatest fall from a peak of the equity, as a fraction of that peak.",
    LEAST,
  ),
  metric(
    "exposure",
    "Exposure",
    "exposure",
    "share",
    "Share of the closes in the window at which a position is held.",
  ),
  metric("feesPaid", "Fees", "fees paid", "money", "Fees of all fills, in the quote currency.", LEAST),
  metric("tradeCount", "Trades", "closed trades", "count", "Number of closed trades."),
  metric("openTradeCount", "Open", "open trades", "count", "Number of trades still open at the end."),
  metric("winRate", "Wins", "win rate", "share", "Share of the closed trades with a profit, net of fees."),
  metric(
    "profitFactor",
    "Profit factor",
    "profit factor",
    "ratio",
    "Sum of the profits over sum of the losses of the closed trades, net of fees.",
  ),
  metric("expectancy", "Expectancy", "expectancy", "gain", "Mean return of a closed trade, net of fees."),
  metric("bestTrade", "Best trade", "best trade", "gain", "Greatest return of a closed trade, net of fees."),
  metric(
    "worstTrade",
    "Worst trade",
    "worst trade",
    "gain",
    "Smallest return of a closed trade, net of fees.",
  ),
  metric(
    "borrowPaid",
    "Borrowing",
    "borrowing paid",
    "money",
    "Cost of borrowing for short positions, in the quote currency.",
    LEAST,
  ),
  metric(
    "fundingPaid",
    "Funding",
    "funding paid",
    "money",
    "Cost of funding long positions, in the quote currency.",
    LEAST,
  ),
];

const BY_NAME = new Map(METRICS.map((one) => [one.name, one]));

/** Return a figure as it counts in statistics over several cryptos; NaN if it does not count. */
export function countedFigure(
  metrics: Metrics | undefined,
  { field, zeroWithoutTrades }: MetricInfo,
): number {
  const isZero = zeroWithoutTrades && metrics?.tradeCount === 0 && metrics.openTradeCount === 0;
  return metrics?.[field] ?? (isZero ? 0 : Number.NaN);
}

/** Return the metric with a name of the API; throw if there is none. */
export function metricOf(name: string): MetricInfo {
  const found = BY_NAME.get(name);
  if (found === undefined) throw new Error(`there is no metric ${name}`);
  return found;
}

/** Return the metric that a person means by sharpe, "max drawdown" or win_rate; undefined if there is none. */
export function metricMeant(text: string): MetricInfo | undefined {
  const written = text
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, "_");
  return (
    BY_NAME.get(written) ??
    METRICS.find((one) => one.heading.toLowerCase().replaceAll(" ", "_") === written) ??
    METRICS.find((one) => one.name.startsWith(written))
  );
}
