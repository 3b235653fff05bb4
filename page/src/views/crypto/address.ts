/**
 * The address of the view: one crypto of a run.
 *
 * `crypto` is the symbol, `window` the window of the run in seconds since 1970, as an end that a request leaves open
 * depends on all of its cryptos; everything else is the query of the run. `trade` is the selected trade.
 */

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { href, type Query } from "../../address";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";

/** Return the link to one crypto of a run; `spec` is that of the run's `started` event, which has a window. */
export function cryptoHref(query: Query, symbol: string, spec: BacktestSpec | undefined): string {
  const { startTime, endTime } = spec ?? {};
  const window = startTime && endTime ? `${startTime.seconds}-${endTime.seconds}` : undefined;
  return href("crypto", { ...query, crypto: symbol, window });
}

/** Return the query of the run that a crypto was opened from. */
export function runQuery(query: Query): Query {
  return { ...query, crypto: undefined, window: undefined, trade: undefined };
}

/** Put the window of the address into a spec. */
export function setWindow(spec: BacktestSpec, query: Query): void {
  const [, start, end] = /^(-?\d+)-(-?\d+)$/.exec(query.window ?? "") ?? [];
  if (start === undefined || end === undefined) return;
  spec.startTime = timestampFromMs(1000 * Number(start));
  spec.endTime = timestampFromMs(1000 * Number(end));
}
