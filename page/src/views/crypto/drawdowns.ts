/** The falls of an equity curve from its peaks. */

/** Kept where the view shows the list. */
export const DRAWDOWN_DEFINITION =
  "A drawdown begins at the close with a peak of the equity, and ends at the first close that is at the peak or above it again. " +
  "Its depth is the greatest fall from the peak in between, as a fraction of the peak. Its length is the time from the peak to the end; " +
  "the recovery is the part of it from the lowest close to the end. The first peak is the initial capital.";

export interface Drawdown {
  /** Opening times of candles in seconds since 1970: of the peak, the lowest close and the recovery. */
  readonly peak: number;
  readonly trough: number;
  /** Undefined if the curve ends before the equity is back. */
  readonly recovered: number | undefined;
  /** A positive fraction of the peak. */
  readonly depth: number;
}

/** Return the `most` deepest drawdowns of a curve, deepest first. */
export function worstDrawdowns(
  times: ArrayLike<number>,
  equity: ArrayLike<number>,
  capital: number,
  most: number,
): Drawdown[] {
  const found: Drawdown[] = [];
  let [top, peak, low, trough] = [capital, times[0] as number, capital, times[0] as number];
  const end = (recovered: number | undefined) => {
    if (low < top) found.push({ peak, trough, recovered, depth: (top - low) / top });
  };
  for (let index = 0; index < equity.length; index++) {
    const [time, value] = [times[index] as number, equity[index] as number];
    if (value >= top) {
      end(time);
      [top, peak, low] = [value, time, value];
    } else if (value < low) [low, trough] = [value, time];
  }
  end(undefined);
  return found.sort((left, right) => right.depth - left.depth).slice(0, most);
}
