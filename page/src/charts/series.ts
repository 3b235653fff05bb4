/** Plain data of charts over time. All columns of a chart are as long as its times; NaN is an undefined value. */

export type Column = ArrayLike<number>;

export interface Candles {
  readonly open: Column;
  readonly high: Column;
  readonly low: Column;
  readonly close: Column;
}

export interface Line {
  readonly name: string;
  readonly values: Column;
  readonly colour: string;
  readonly dashed?: boolean;
}

/** The height of a pane with weight 1, in CSS pixels. */
export const PANE_HEIGHT = 92;

/** A part of a chart with a scale of its own. */
export interface Pane {
  readonly name: string;
  /** Stands before the names of the lines, where these do not say what they are. */
  readonly title?: string;
  /** Height beside the other panes. */
  readonly weight: number;
  readonly candles?: Candles;
  readonly lines: readonly Line[];
  /** Horizontal lines at these values. */
  readonly levels?: readonly number[];
  readonly format: (value: number) => string;
}

/** A sign at a candle of the first pane. */
export interface Mark {
  readonly id: string;
  readonly time: number;
  readonly kind: "buy" | "sell" | "break";
  readonly colour: string;
  readonly text?: string;
  readonly large?: boolean;
}

/** A straight line in the first pane, from an entry to its exit. */
export interface Stretch {
  readonly from: number;
  readonly fromPrice: number;
  readonly to: number;
  readonly toPrice: number;
  readonly colour: string;
}

export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 2024-01-31 08:00 of seconds since 1970, in UTC. */
export function minute(time: number): string {
  return new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ");
}

/** The index of the last of the ascending `times` that is not after `time`; -1 if all are. */
export function indexAt(times: Column, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Puts values at `own` times to the chart's `times`; NaN where there is none. Both ascend. */
export function aligned(times: Column, own: Column, values: Column): Float64Array {
  const column = new Float64Array(times.length).fill(Number.NaN);
  let at = 0;
  for (let index = 0; index < times.length && at < own.length; index++) {
    while (at < own.length && (own[at] as number) < (times[index] as number)) at++;
    if (own[at] === times[index]) column[index] = values[at] as number;
  }
  return column;
}
