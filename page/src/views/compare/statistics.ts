/** Statistics over the cryptos, by the definitions of `backcast compare`. */

import { countedFigure, type MetricInfo } from "../../metrics";
import type { SideResults } from "./use_sides";

/** Return the values of a metric that count, on some cryptos. */
export function valuesOf({ metrics }: SideResults, symbols: readonly string[], metric: MetricInfo): number[] {
  return symbols
    .map((symbol) => countedFigure(metrics.get(symbol), metric))
    .filter((value) => !Number.isNaN(value));
}

/** Return the differences of a run from the first one, crypto by crypto, where both have the metric. */
export function differencesOf(first: SideResults, own: SideResults, metric: MetricInfo): number[] {
  return [...own.metrics]
    .map(([symbol, metrics]) => countedFigure(metrics, metric) - countedFigure(first.metrics.get(symbol), metric))
    .filter((value) => !Number.isNaN(value));
}

/** The mean; NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const ordered = [...values].sort((left, right) => left - right);
  const half = ordered.length >> 1;
  const upper = ordered[half] ?? Number.NaN;
  return ordered.length % 2 ? upper : (upper + ordered[half - 1]!) / 2;
}

/** The t-statistic of a mean: the mean over its standard error. NaN if the values vary by no more than rounding. */
export function tStatistic(values: readonly number[]): number {
  const center = mean(values);
  const deviation = Math.sqrt(mean(values.map((value) => (value - center) ** 2)) / (values.length - 1));
  const varies = deviation * Math.sqrt(values.length) > 1e-12 * Math.max(...values.map(Math.abs));
  return varies ? center / deviation : Number.NaN;
}
