/** What is said of a run beside its results, whatever it computes. */

import type { Explanation } from "../api/explain";
import type { LeftOutCrypto } from "../api/stubs/backcast/gateway/v1/run_events_pb";
import { counted, day, lasting, secondsOf } from "../format";
import type { Followed } from "../state/followed_run";
import { ErrorNotice, Notice } from "./notice";
import { useClock } from "./use_clock";

/** A run that the gateway does not know, or not any more, and that its address can start. */
export function Startable({
  wrong,
  error,
  onRun,
}: {
  /** What is wrong with what the address describes, as sentences. */
  wrong: readonly string[];
  error: Explanation;
  onRun: () => void;
}) {
  if (wrong.length > 0)
    return (
      <Notice kind="error" sentence="The address does not describe a backtest." advice={wrong.join(" ")} />
    );
  return (
    <ErrorNotice error={error}>
      <button type="button" onClick={onRun}>
        Run this
      </button>
    </ErrorNotice>
  );
}

/** A run whose stream broke, or that waits for its turn. */
export function Waiting({ shown: { error, retryAt } }: { shown: Followed }) {
  const leftMs = Math.max(0, retryAt - useClock(500));
  const again = leftMs < 1000 ? "It is tried again now." : `It is tried again in ${lasting(leftMs)}.`;
  const kept = "Nothing is lost: the run goes on where it was.";
  return (
    <Notice
      kind="warning"
      sentence={error!.sentence}
      advice={`${again} ${error!.retryMs === undefined ? kept : ""}`}
    />
  );
}

const MOST_SYMBOLS = 5;

/** What the run leaves out, in a sentence each. */
export function LeftOut({
  started: { leftOut, cryptosWithLaterCandles: later },
}: {
  started: { readonly leftOut: readonly LeftOutCrypto[]; readonly cryptosWithLaterCandles: number };
}) {
  if (leftOut.length === 0 && later === 0) return null;
  const named = leftOut.slice(0, MOST_SYMBOLS).map(({ symbol }) => symbol);
  const [first] = leftOut;
  return (
    <p class="quiet">
      {leftOut.length === 1 &&
        first?.firstCandleTime !== undefined &&
        first.lastCandleTime !== undefined &&
        `${first.symbol} (${day(secondsOf(first.firstCandleTime))} to ${day(secondsOf(first.lastCandleTime))}) is left out: it has no whole candle in the window. `}
      {leftOut.length > 1 &&
        `${counted(leftOut.length, "crypto")} are left out, as they have no whole candle in the window (${named.join(", ")}${leftOut.length > MOST_SYMBOLS ? ", …" : ""}). `}
      {later > 0 &&
        `${later === 1 ? "1 crypto has" : `${counted(later, "crypto")} have`} candles after the window's end: choose another one with Until.`}
    </p>
  );
}
