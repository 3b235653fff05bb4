/** Trades and curve as files for spreadsheets, with all digits of the numbers. */

import { type BacktestResult, ExitReason, type Trade } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { type Cell, csvOf, csvTime, csvTimestamp } from "../../csv";

/** The columns of a trade, which follow the symbol. */
export const TRADE_COLUMNS = [
  ...["entry_time", "exit_time", "entry_price", "exit_price", "units", "profit", "return_fraction"],
  ...["fees_paid", "borrow_paid", "funding_paid", "worst_excursion", "best_excursion", "held_candles"],
  ...["open", "exit_reason"],
];

/** Return a trade's values of `TRADE_COLUMNS`. */
export function tradeCells(trade: Trade): Cell[] {
  return [
    csvTimestamp(trade.entryTime),
    csvTimestamp(trade.exitTime),
    trade.entryPrice,
    trade.open ? undefined : trade.exitPrice,
    trade.units,
    trade.profit,
    trade.returnFraction,
    trade.feesPaid,
    trade.borrowPaid,
    trade.fundingPaid,
    trade.worstExcursion,
    trade.bestExcursion,
    trade.heldCandles,
    trade.open,
    trade.open ? undefined : ExitReason[trade.exitReason]?.toLowerCase(),
  ];
}

/** Return the trades as CSV. */
export function tradesCsv({ symbol, trades }: BacktestResult): string {
  return csvOf(
    ["symbol", ...TRADE_COLUMNS],
    trades.map((trade) => [symbol, ...tradeCells(trade)]),
  );
}

/** Return the equity curve as CSV; `holding` has the equity of buying and holding at the same times. */
export function curveCsv(
  { symbol, equityCurve }: BacktestResult,
  holding: ArrayLike<number> | undefined,
): string {
  const { openTimeS = [], equity = [], drawdown = [] } = equityCurve ?? {};
  const rows = openTimeS.map((seconds, index) => [
    symbol,
    csvTime(seconds),
    equity[index],
    drawdown[index],
    holding?.[index],
  ]);
  return csvOf(["symbol", "time", "equity", "drawdown", "buy_and_hold_equity"], rows);
}
