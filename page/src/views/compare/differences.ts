/** Differences between runs, crypto by crypto. */

import type { MetricInfo } from "../../metrics";
import type { Results } from "../../state/results";

/** A metric of all runs, for the cryptos of which at least one run has a result. */
export interface Differences {
  readonly symbols: readonly string[];
  /** For each run, the values in the order of `symbols`; NaN where there is none. */
  readonly values: readonly Float64Array[];
}

export function differencesOf(runs: readonly Results[], metric: MetricInfo): Differences {
  const symbols = [...new Set(runs.flatMap(({ all }) => all.map(({ symbol }) => symbol)))].sort();
  const valuesOf = (results: Results) =>
    Float64Array.from(symbols, (symbol) => results.of(symbol)?.metrics?.[metric.field] ?? Number.NaN);
  return { symbols, values: runs.map(valuesOf) };
}

/** How a run compares with the first one. */
export interface Standing {
  /** Number of cryptos on which both have a value. */
  readonly common: number;
  readonly better: number;
  readonly worse: number;
  /** Median of the differences; undefined without a crypto in common. */
  readonly median: number | undefined;
}

export function standing({ values }: Differences, index: number, metric: MetricInfo): Standing {
  const [first, own] = [values[0]!, values[index]!];
  const differences = Float64Array.from(own, (value, row) => value - first[row]!)
    .filter((value) => !Number.isNaN(value))
    .sort();
  const above = differences.filter((value) => value > 0).length;
  const below = differences.filter((value) => value < 0).length;
  const [better, worse] = metric.smallestIsBest ? [below, above] : [above, below];
  const half = differences.length >> 1;
  const median =
    differences.length % 2 === 1 ? differences[half] : (differences[half - 1]! + differences[half]!) / 2;
  return { common: differences.length, better, worse, median: differences.length === 0 ? undefined : median };
}

/** A difference as text: its sign says whether the value is greater. */
export function differenceText(metric: MetricInfo, value: number): string {
  const text = metric.show(value);
  return value > 0 && !text.startsWith("+") ? `+${text}` : text;
}

/** Metrics of which neither more nor less is better. */
const NEUTRAL = new Set(["buy_and_hold_return", "exposure", "trade_count", "open_trade_count"]);

/** What a run is called that has more of a metric than another one, and one that has less. */
export function comparatives(metric: MetricInfo): readonly [string, string] {
  return NEUTRAL.has(metric.name) ? ["higher", "lower"] : ["better", "worse"];
}

/** "gain" where a difference is to the better, "loss" where it is to the worse. */
export function judged(metric: MetricInfo, value: number): "gain" | "loss" | undefined {
  if (NEUTRAL.has(metric.name) || !(value < 0 || value > 0)) return undefined;
  return value > 0 === metric.smallestIsBest ? "loss" : "gain";
}
