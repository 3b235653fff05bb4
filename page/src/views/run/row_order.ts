/** Which rows of results a table shows, and in which order. */

import { type Filter, holds } from "../../filter";
import { METRICS } from "../../metrics";
import { compareFigures, parseOrder } from "../../order";
import type { Results } from "../../state/results";

/** An order as in the address: "" is that of arrival, `sharpe_ratio` the best first, `-sharpe_ratio` the worst. */
export function rowOrder(results: Results, filter: Filter, order: string): Uint32Array {
  const rows = new Uint32Array(results.length);
  let count = 0;
  const columns = filter.conditions.map((condition) => ({
    condition,
    values: results.metrics[condition.field],
  }));
  for (let row = 0; row < results.length; row++) {
    const { symbol } = results.all[row]!;
    if (!filter.words.every((word) => symbol.includes(word))) continue;
    if (columns.every(({ condition, values }) => holds(values[row]!, condition))) rows[count++] = row;
  }
  const shown = rows.subarray(0, count);
  const { column: name, reversed } = parseOrder(order);
  if (name === "symbol") {
    const sign = reversed ? -1 : 1;
    return shown.sort((a, b) => (results.all[a]!.symbol < results.all[b]!.symbol ? -sign : sign));
  }
  const metric = METRICS.find((one) => one.name === name);
  if (metric === undefined) return shown;
  const values = results.metrics[metric.field];
  const descending = metric.smallestIsBest === reversed;
  const { tradeCount, openTradeCount } = results.metrics;
  const valueIn = (row: number) =>
    metric.zeroWithoutTrades && Number.isNaN(values[row]) && !(tradeCount[row]! + openTradeCount[row]!)
      ? 0
      : values[row]!;
  // Equal figures stay in the order of arrival.
  return shown.sort((a, b) => compareFigures(valueIn(a), valueIn(b), descending) || a - b);
}
