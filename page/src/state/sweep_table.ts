/**
 * The table of a sweep, as columns: row n of each is the combination with number n.
 *
 * A sweep can have a million combinations: what is not shown is not kept.
 */

import { type Strategy, StrategySchema } from "../api/stubs/backcast/backtest/v1/strategy_pb";
import type { ParameterRange } from "../api/stubs/backcast/backtest/v1/sweep_pb";
import type { SweepRow } from "../api/stubs/backcast/gateway/v1/sweep_pb";
import { METRICS, type MetricField } from "../metrics";

/** A swept parameter, and its values: numbers ascend, choices are in the order of the sweep. */
export interface Axis {
  readonly name: string;
  readonly values: readonly (number | string)[];
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
    const places = this.placesOf(message.strategy);
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

  /** Return the indexes of a strategy's values on the axes. */
  placesOf(strategy: Strategy | undefined): number[] {
    const fields = StrategySchema.fields.find((one) => one.localName === strategy?.kind.case)?.message
      ?.fields;
    const values = (strategy?.kind.value ?? {}) as unknown as Record<string, number | undefined>;
    return this.axes.map((axis) => {
      const field = fields?.find((one) => one.name === axis.name);
      const value = values[field?.localName ?? ""];
      const choice = field?.enum?.values.find(({ number }) => number === value)?.name;
      return axis.values.findIndex((one) =>
        typeof one === "string" ? choice?.endsWith(`_${one}`) : one === value,
      );
    });
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
  const field = (value: number | string) => (typeof value === "number" ? value : shortName(name, value));
  const plain = values.map(({ kind }) => field(kind.value as number | string));
  const once = [...new Set(plain)];
  return { name, values: typeof once[0] === "number" ? (once as number[]).sort((a, b) => a - b) : once };
}

/** EMA of MOVING_AVERAGE_KIND_EMA: choices come with the prefix of their enumeration or without it. */
function shortName(parameter: string, text: string): string {
  for (const strategy of StrategySchema.fields) {
    const { enum: choices } = strategy.message?.fields.find(({ name }) => name === parameter) ?? {};
    if (choices?.values.some(({ name }) => name === text))
      return text.slice((choices.sharedPrefix ?? "").length).toUpperCase();
  }
  return text;
}

function metricColumns(length: number): MetricColumns {
  return Object.fromEntries(
    METRICS.map(({ field }) => [field, new Float64Array(length).fill(Number.NaN)]),
  ) as Record<MetricField, Float64Array>;
}
