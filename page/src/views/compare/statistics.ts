/** Statistics over the cryptos, by the definitions of `backcast compare`. */

import { countedFigure, type MetricInfo } from "../../metrics";
import type { SideResults } from "./use_sides";

/** Return a metric on some cryptos, or its differences from those of `first`: the values that count. */
export function valuesOf(
  symbols: Iterable<string>,
  metric: MetricInfo,
  { metrics }: SideResults,
  first?: SideResults,
): number[] {
  return Array.from(
    symbols,
    (symbol) =>
      countedFigure(metrics.get(symbol), metric) -
      (first ? countedFigure(first.metrics.get(symbol), metric) : 0),
  ).filter(Number.isFinite);
}

/** The mean; NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const ordered = Float64Array.from(values).sort();
  return mean([ordered[(values.length - 1) >> 1]!, ordered[values.length >> 1]!]);
}

/** The t-statistic of the mean: the mean over its standard error. NaN if the values differ by rounding only. */
export function tStatistic(values: readonly number[]): number {
  const center = mean(values);
  const deviation = Math.hypot(...values.map((value) => value - center)) / Math.sqrt(values.length - 1);
  return deviation > 1e-12 * Math.max(...values.map(Math.abs))
    ? (center / deviation) * Math.sqrt(values.length)
    : Number.NaN;
}
