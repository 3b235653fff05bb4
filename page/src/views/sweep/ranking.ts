/** The order of combinations: as a walk-forward ranks them, or by a column. */

import { METRICS, type MetricInfo } from "../../metrics";
import { compareFigures, parseOrder } from "../../order";
import type { SweepTable } from "../../state/sweep_table";

export interface Ranking {
  readonly metric: MetricInfo;
  readonly minTrades: number;
}

/** Combinations whose median number of trades is too small have no rank. */
export function tradesTooLittle(table: SweepTable, row: number, { minTrades }: Ranking): boolean {
  return !(table.medianTrades[row]! >= minTrades);
}

/**
 * Return the rows, best first.
 *
 * Last come those that trade too little; before them the sparse ones, whose metric is defined on fewer than half
 * of the cryptos on which it is defined for any combination.
 */
export function ranked(table: SweepTable, ranking: Ranking): Uint32Array {
  const { metric } = ranking;
  const values = table.train[metric.field];
  const most = table.cryptoCount.reduce((left, right) => Math.max(left, right), 0);
  const kind = Uint8Array.from({ length: table.length }, (_, row) => {
    if (tradesTooLittle(table, row, ranking)) return 3;
    if (2 * table.cryptoCount[row]! < most) return 2;
    return Number.isNaN(values[row]) ? 1 : 0;
  });
  return allRows(table).sort(
    (a, b) => kind[a]! - kind[b]! || compareFigures(values[a]!, values[b]!, !metric.smallestIsBest) || a - b,
  );
}

/** Return the rows in an order of the address: "" is by rank, `-name` is the reverse of `name`. */
export function ordered(table: SweepTable, ranking: Ranking, order: string): Uint32Array {
  const { column, reversed } = parseOrder(order);
  const [values, ascends] = columnOf(table, column);
  if (values === undefined) return ranked(table, ranking);
  return allRows(table).sort((a, b) => compareFigures(values[a]!, values[b]!, ascends === reversed) || a - b);
}

/** The values of a column, and whether its smallest value comes first. */
export function columnOf(
  table: SweepTable,
  name: string,
): readonly [values: ArrayLike<number> | undefined, ascends: boolean] {
  const axis = table.axes.findIndex((one) => `p.${one.name}` === name);
  if (axis >= 0) return [table.places[axis], true];
  if (name === "median_trades") return [table.medianTrades, false];
  if (name === "traded") return [table.traded, false];
  const isTest = name.startsWith("test.");
  const metric = METRICS.find((one) => one.name === (isTest ? name.slice(5) : name));
  const columns = isTest ? table.test : table.train;
  return metric === undefined ? [undefined, false] : [columns?.[metric.field], metric.smallestIsBest];
}

function allRows(table: SweepTable): Uint32Array {
  return Uint32Array.from({ length: table.length }, (_, row) => row);
}
