/** The equity of buying and holding, without costs: what the metric `buy_and_hold_return` is the end of. */

export interface HeldCandles {
  readonly times: ArrayLike<number>;
  readonly open: ArrayLike<number>;
  readonly close: ArrayLike<number>;
}

/**
 * Return the equity at the closes of `candles`, which are those of the backtest's curve.
 *
 * Each part between `breaks` (opening times of first candles after a break) is bought anew: at the open of its
 * second candle or, with `atClose`, at the close of its first one.
 */
export function holdingCurve(
  { times, open, close }: HeldCandles,
  breaks: readonly number[],
  capital: number,
  atClose: boolean,
): Float64Array {
  const equity = new Float64Array(times.length);
  let [paid, carried, first] = [Number.NaN, capital, 0];
  for (let index = 0; index < times.length; index++) {
    if (index > 0 && crosses(breaks, times, index)) {
      carried = equity[index - 1] as number;
      [paid, first] = [Number.NaN, index];
    }
    if (atClose && index === first) paid = close[index] as number;
    if (!atClose && index === first + 1) paid = open[index] as number;
    equity[index] = Number.isNaN(paid) ? carried : (carried * (close[index] as number)) / paid;
  }
  return equity;
}

/** Whether a break lies after the candle before and not after this one: a candle on it is not traded. */
function crosses(breaks: readonly number[], times: ArrayLike<number>, index: number): boolean {
  const [before, now] = [times[index - 1] as number, times[index] as number];
  return breaks.some((start) => before < start && start <= now);
}
