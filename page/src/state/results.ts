/**
 * The results of a run, as columns: row n of each column is the result that arrived as the nth.
 *
 * Tables sort and filter numbers, and make words only of the rows that are seen.
 */

import type { BacktestResult } from "../api/stubs/backcast/backtest/v1/result_pb";
import { METRICS, type MetricField } from "../metrics";

const FIRST_ROOM = 256;

export class Results {
  /** The results as they arrived. */
  readonly all: BacktestResult[] = [];
  /** The metrics, NaN where they are undefined; longer than there are results. */
  readonly metrics: Record<MetricField, Float64Array>;
  private readonly rowOf = new Map<string, number>();

  constructor() {
    this.metrics = Object.fromEntries(
      METRICS.map(({ field }) => [field, new Float64Array(FIRST_ROOM)]),
    ) as Record<MetricField, Float64Array>;
  }

  get length(): number {
    return this.all.length;
  }

  /** Return the result of a crypto, if it has arrived. */
  of(symbol: string): BacktestResult | undefined {
    const row = this.rowOf.get(symbol);
    return row === undefined ? undefined : this.all[row];
  }

  /** Add a result; one that is there already is not added twice. */
  add(result: BacktestResult): void {
    if (this.rowOf.has(result.symbol)) return;
    const row = this.all.push(result) - 1;
    this.rowOf.set(result.symbol, row);
    if (row >= this.metrics.totalReturn.length) this.grow();
    for (const { field } of METRICS) this.metrics[field][row] = result.metrics?.[field] ?? Number.NaN;
  }

  private grow(): void {
    for (const { field } of METRICS) {
      const longer = new Float64Array(2 * this.metrics[field].length);
      longer.set(this.metrics[field]);
      this.metrics[field] = longer;
    }
  }
}
