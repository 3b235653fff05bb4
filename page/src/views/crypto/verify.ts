/** Repeats a backtest on shorter histories, to check it for look-ahead, as `backcast verify` does. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Explanation } from "../../api/explain";
import { type BacktestSpec, BacktestSpecSchema } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import { ExecutionSchema, FillTime } from "../../api/stubs/backcast/backtest/v1/execution_pb";
import type { BacktestResult } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { CacheMode } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { whileAway } from "../../api/while_away";
import { secondsOf } from "../../format";
import { intervalOf } from "../../spec";
import { loadResult } from "./load";
import { type Difference, firstDifference } from "./look_ahead";

/** Number of shorter histories, as the command has it. */
const CUTS = 8;

export interface Verdict {
  /** Shorter histories that were compared, for each kind of fills. */
  readonly histories: readonly { readonly fills: string; readonly count: number }[];
  readonly differences: readonly Difference[];
}

/**
 * Verify the backtest of one crypto. `tell` learns how many of all runs are done, and `fail` why one is not: it is
 * made again while the gateway is away.
 *
 * Everything is done twice: as requested, and with fills at the signals' own closes. A fill at the next open could
 * hide a strategy that knows the next candle, because that open comes with the same candle. At the signal's own
 * close, nothing of the next candle is known.
 */
export async function verify(
  symbol: string,
  spec: BacktestSpec,
  tell: (done: number, all: number) => void,
  fail: (why: Explanation) => void,
  signal: AbortSignal,
): Promise<Verdict> {
  const asked = spec.execution ?? create(ExecutionSchema);
  const execution = { ...asked, fillTime: FillTime.SAME_CLOSE };
  const atClose = create(BacktestSpecSchema, { ...spec, execution });
  const variants = [{ fills: "with fills as requested", spec }];
  if (spec.execution?.fillTime !== FillTime.SAME_CLOSE)
    variants.push({ fills: "with fills at the signals' own closes", spec: atClose });

  const all = variants.length * (CUTS + 1);
  let done = 0;
  const run = async (asked: BacktestSpec) => {
    // Everything is computed: cached results would prove nothing.
    const load = () => loadResult(symbol, asked, CacheMode.BYPASS, signal);
    const loaded = await whileAway(load, fail, signal);
    done++;
    tell(done, all);
    return loaded;
  };
  const histories: { fills: string; count: number }[] = [];
  const differences: Difference[] = [];
  tell(0, all);
  for (const variant of variants) {
    const whole = await run(variant.spec);
    let count = 0;
    for (const end of endsOf(whole.spec, whole.result)) {
      if (Number(whole.result.equityCurve?.openTimeS[0] ?? end) >= end) {
        done++;
        continue;
      }
      const shorter = create(BacktestSpecSchema, { ...whole.spec, endTime: timestampFromMs(1000 * end) });
      const difference = firstDifference(whole.result, (await run(shorter)).result);
      if (difference) differences.push(difference);
      count++;
    }
    histories.push({ fills: variant.fills, count });
  }
  return { histories, differences };
}

/**
 * The ends of the shorter histories in seconds since 1970: half at exits, the others spread evenly.
 *
 * A strategy that knows the future shows it first after the candle of an exit. If a break closed the position, this
 * is right before the break. Most of the evenly spread ends lie within a candle.
 */
function endsOf(spec: BacktestSpec, whole: BacktestResult): number[] {
  const length = intervalOf(spec)?.seconds ?? 3600;
  const [start, end] = [secondsOf(spec.startTime), secondsOf(spec.endTime)];
  const closed = whole.trades.filter(({ open }) => !open);
  const exits = [...new Set(closed.map((trade) => secondsOf(trade.exitTime) + length))].sort(
    (left, right) => left - right,
  );
  const half = Math.floor(CUTS / 2);
  const step = Math.max(1, Math.floor(exits.length / half));
  const atExits = exits.filter((_, index) => index % step === 0).slice(0, half);
  const count = CUTS - atExits.length;
  const spread = Array.from({ length: count }, (_, index) =>
    Math.floor(start + ((end - start) * (index + 1)) / (count + 1)),
  );
  return [...spread, ...atExits].sort((left, right) => left - right);
}
