/** The mean of the equity curves of a run's cryptos, gathered one crypto at a time. */

import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { EquityCurve } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { secondsOf } from "../../format";

/** Points of each curve: enough for the width of a screen. */
export const CURVE_POINTS = 500;

export interface Curve {
  readonly times: Float64Array;
  readonly equity: Float64Array;
  readonly drawdown: Float64Array;
}

/**
 * Each crypto begins with the same capital, and holds its last value where it has no candle.
 *
 * The mean is taken at times of equal distance from the start to the end of the window.
 */
export class MeanCurve {
  readonly #times: Float64Array;
  readonly #sums: Float64Array;
  readonly #capital: number;
  #count = 0;

  constructor({ startTime, endTime, execution }: BacktestSpec) {
    const [start, end] = [secondsOf(startTime), secondsOf(endTime)];
    const points = Math.max(1, Math.min(CURVE_POINTS, Math.floor((end - start) / 3600)));
    this.#times = Float64Array.from({ length: points }, (_, index) =>
      Math.floor(start + ((end - start) * index) / points),
    );
    this.#sums = new Float64Array(points);
    this.#capital = execution?.initialCapital ?? 10_000;
  }

  add({ openTimeS, equity }: EquityCurve): void {
    let at = 0;
    let held = this.#capital;
    for (let index = 0; index < this.#times.length; index++) {
      for (; at < equity.length && Number(openTimeS[at]) <= (this.#times[index] as number); at++)
        held = equity[at] as number;
      this.#sums[index] = (this.#sums[index] as number) + held;
    }
    this.#count++;
  }

  curve(): Curve {
    const equity = this.#sums.map((sum) => sum / Math.max(1, this.#count));
    let peak = this.#capital;
    const drawdown = equity.map((value) => {
      peak = Math.max(peak, value);
      return (peak - value) / peak;
    });
    return { times: this.#times, equity, drawdown };
  }
}
