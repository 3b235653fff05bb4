/** Trades and curve as files for spreadsheets: the names are those of the API, the numbers have all their digits. */

import { type BacktestResult, ExitReason } from "../../api/stubs/backcast/backtest/v1/result_pb";

/** Return the trades as CSV (RFC 4180). */
export function tradesCsv(result: BacktestResult): string {
  const rows = result.trades.map((trade) => [
    stamp(trade.entryTime?.seconds),
    trade.entryPrice,
    trade.units,
    stamp(trade.exitTime?.seconds),
    trade.exitPrice ?? "",
    trade.feesPaid,
    trade.profit,
    trade.returnFraction,
    trade.heldCandles,
    trade.open,
    trade.open ? "" : ExitReason[trade.exitReason],
    trade.worstExcursion,
    trade.bestExcursion,
    trade.borrowPaid,
    trade.fundingPaid,
  ]);
  const heading =
    "entry_time,entry_price,units,exit_time,exit_price,fees_paid,profit,return_fraction,held_candles,open," +
    "exit_reason,worst_excursion,best_excursion,borrow_paid,funding_paid";
  return lines(heading, rows);
}

/** Return the equity curve as CSV; `holding` has the equity of buying and holding at the same times. */
export function curveCsv(result: BacktestResult, holding: ArrayLike<number> | undefined): string {
  const { openTimeS = [], equity = [], drawdown = [] } = result.equityCurve ?? {};
  const rows = openTimeS.map((seconds, index) => [
    stamp(seconds),
    equity[index] ?? "",
    drawdown[index] ?? "",
    holding?.[index] ?? "",
  ]);
  return lines("open_time,equity,drawdown,buy_and_hold_equity", rows);
}

export function lines(heading: string, rows: readonly (readonly (string | number | boolean)[])[]): string {
  return [heading, ...rows.map((row) => row.join(","))].map((line) => `${line}\r\n`).join("");
}

export function stamp(seconds: bigint | undefined): string {
  return seconds === undefined ? "" : new Date(1000 * Number(seconds)).toISOString().replace(".000Z", "Z");
}
