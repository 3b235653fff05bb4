/**
 * Comparison of a result with the result on a shorter history, which must be its beginning.
 *
 * Any difference means that the longer result used data from the future. The rules are those of `backcast verify`.
 */

import { type BacktestResult, ExitReason, type Trade } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { secondsOf, time } from "../../format";

const OF_THE_ENTRY = ["entryTime", "entryPrice", "units"] as const;
const OF_THE_EXIT = [
  "exitTime",
  "exitPrice",
  "exitReason",
  "feesPaid",
  "borrowPaid",
  "fundingPaid",
  "profit",
  "returnFraction",
  "heldCandles",
  "worstExcursion",
  "bestExcursion",
] as const;
type TradeField = (typeof OF_THE_ENTRY)[number] | (typeof OF_THE_EXIT)[number];

/** The first difference between two results, at a time in seconds since 1970. */
export interface Difference {
  readonly time: number;
  readonly what: string;
  readonly whole: string;
  readonly shorter: string;
}

/**
 * Compare two results with trades and all points of the equity, `shorter` of a window that ended earlier.
 *
 * Everything that was known at the shorter one's end has to be the same in both, bit by bit: equity, entries,
 * and the exits until then. A position that a break closes at the shorter one's last close is still open
 * there. Returns the earliest difference.
 */
export function firstDifference(whole: BacktestResult, shorter: BacktestResult): Difference | undefined {
  const found = [equityDifference(whole, shorter), tradeDifference(whole, shorter)];
  return found
    .filter((difference) => difference !== undefined)
    .sort((left, right) => left.time - right.time)[0];
}

function equityDifference(whole: BacktestResult, shorter: BacktestResult): Difference | undefined {
  const ours = whole.equityCurve?.equity ?? [];
  const theirs = shorter.equityCurve?.equity ?? [];
  for (let at = 0; at < theirs.length; at++) {
    // Object.is distinguishes 0 from -0, and takes NaN as equal to itself.
    if (Object.is(ours[at], theirs[at])) continue;
    return {
      time: Number(shorter.equityCurve?.openTimeS[at]),
      what: "equity",
      whole: String(ours[at]),
      shorter: String(theirs[at]),
    };
  }
  return undefined;
}

function tradeDifference(whole: BacktestResult, shorter: BacktestResult): Difference | undefined {
  const last = Number(shorter.equityCurve?.openTimeS.at(-1) ?? 0n);
  const known = whole.trades.filter((trade) => secondsOf(trade.entryTime) <= last);
  if (known.length !== shorter.trades.length) {
    const [more, fewer] =
      known.length > shorter.trades.length ? [known, shorter.trades] : [shorter.trades, known];
    return {
      time: secondsOf(more[fewer.length]?.entryTime),
      what: "number of trades",
      whole: String(known.length),
      shorter: String(shorter.trades.length),
    };
  }
  for (const [index, theirs] of shorter.trades.entries()) {
    const ours = known[index] as Trade;
    const names: readonly TradeField[] =
      theirs.open && closesAfter(ours, last) ? OF_THE_ENTRY : [...OF_THE_ENTRY, ...OF_THE_EXIT];
    for (const name of names) {
      if (Object.is(comparable(ours, name), comparable(theirs, name))) continue;
      const atEntry = (OF_THE_ENTRY as readonly string[]).includes(name);
      return {
        time: secondsOf(atEntry || theirs.open ? theirs.entryTime : theirs.exitTime),
        what: `${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)} of a trade`,
        whole: shown(ours, name),
        shorter: shown(theirs, name),
      };
    }
  }
  return undefined;
}

/**
 * Whether a trade was open at the close of the candle that opened at `last`.
 *
 * A trade that a break closes at that close counts as open, because the break was not known then.
 */
function closesAfter(trade: Trade, last: number): boolean {
  const exit = secondsOf(trade.exitTime);
  if (trade.exitReason === ExitReason.BREAK) return exit >= last;
  return trade.open || exit > last;
}

function comparable(trade: Trade, name: TradeField): number | undefined {
  const value = trade[name];
  return typeof value === "object" ? secondsOf(value) : value;
}

function shown(trade: Trade, name: TradeField): string {
  const value = trade[name];
  return typeof value === "object" ? time(secondsOf(value)) : String(value ?? "none");
}
