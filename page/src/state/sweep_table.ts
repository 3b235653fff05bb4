/**
 * The table of a sweep, as columns: row n of each is the combination with number n.
 *
 * A sweep can have a million combinations: what is not shown is not kept.
 */

import type { ParameterRange } from "../api/stubs/backcast/backtest/v1/sweep_pb";
import type { SweepRow } from "../api/stubs/backcast/gateway/v1/sweep_pb";
import { METRICS, type MetricField } from "../metrics";

/** A swept parameter, and its values: numbers ascend, choices are in the order of the sweep. */
export interface Axis {
  readonly name: string;
  readonly values: readonly (number | string)[];
  /** The places in `values` of the values as the sweep has them. */
  readonly placeOf: readonly number[];
}

export type MetricColumns = Readonly<Record<MetricField, Float64Array>>;

export class SweepTable {
  readonly axes: readonly Axis[];
  /** Of each axis, the indexes of the rows' values. */
  readonly places: readonly Uint16Array[];
  /** Medians over the cryptos; NaN where they are undefined, and in rows that have not come. */
  readonly train: MetricColumns;
  readonly test: MetricColumns | undefined;
  /** Median of the number of trades in the train part; NaN if every backtest failed. */
  readonly medianTrades: Float64Array;
  /** Numbers of cryptos: with a defined metric to rank by, with trades in the train and in the test part. */
  readonly cryptoCount: Uint32Array;
  readonly traded: Uint32Array;
  readonly tradedTest: Uint32Array;
  /** Number of rows that have come. */
  length = 0;
  private readonly rowByPlace = new Map<string, number>();

  constructor(ranges: readonly ParameterRange[], combinations: number, cut: boolean) {
    this.axes = ranges.map(axisOf);
    this.places = ranges.map(() => new Uint16Array(combinations));
    this.train = metricColumns(combinations);
    this.test = cut ? metricColumns(combinations) : undefined;
    this.medianTrades = new Float64Array(combinations).fill(Number.NaN);
    this.cryptoCount = new Uint32Array(combinations);
    this.traded = new Uint32Array(combinations);
    this.tradedTest = new Uint32Array(combinations);
  }

  add(message: SweepRow): void {
    const row = message.combination;
    const places = this.placesOf(message.valueIndexes);
    for (const [index, place] of places.entries()) this.places[index]![row] = place;
    this.rowByPlace.set(places.join(), row);
    for (const { field } of METRICS) {
      this.train[field][row] = message.train?.median?.[field] ?? Number.NaN;
      if (this.test !== undefined) this.test[field][row] = message.test?.median?.[field] ?? Number.NaN;
    }
    this.medianTrades[row] = message.medianTrades ?? Number.NaN;
    this.cryptoCount[row] = message.cryptoCount;
    this.traded[row] = message.cryptosTraded;
    this.tradedTest[row] = message.cryptosTradedTest;
    this.length = Math.max(this.length, row + 1);
  }

  /** Return the places on the axes of a combination, of which the sweep returns the indexes of its values. */
  placesOf(valueIndexes: readonly number[]): number[] {
    return this.axes.map(({ placeOf }, axis) => placeOf[valueIndexes[axis]!]!);
  }

  /** Return the row of a combination; undefined if it was skipped or has not come. */
  rowAt(places: readonly number[]): number | undefined {
    return this.rowByPlace.get(places.join());
  }

  /** Return the values of a row's parameters as text, by name. */
  valuesOf(row: number): Record<string, string> {
    return Object.fromEntries(
      this.axes.map(({ name, values }, index) => [name, String(values[this.places[index]![row]!])]),
    );
  }
}

function axisOf({ name, values }: ParameterRange): Axis {
  const plain = values.map(({ kind }) => kind.value as number | string);
  const sorted = typeof plain[0] === "number" ? (plain as number[]).toSorted((a, b) => a - b) : plain;
  return { name, values: sorted, placeOf: plain.map((value) => sorted.indexOf(value)) };
}

function metricColumns(length: number): MetricColumns {
  return Object.fromEntries(
    METRICS.map(({ field }) => [field, new Float64Array(length).fill(Number.NaN)]),
  ) as Record<MetricField, Float64Array>;
}
