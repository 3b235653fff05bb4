/** What a run is, in a few words. */

import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { counted, secondsOf, time } from "../../format";
import { queryOf } from "../../request";
import { INTERVALS } from "../../spec";
import { strategies } from "../../state/lists";

/** A, B, … of the nth run. */
export function letter(index: number): string {
  return String.fromCharCode(65 + index);
}

/** The strategy, with the parameters and costs that are not the defaults. */
export function strategyWords(started: RunStarted): string {
  const spec = started.request?.spec;
  if (spec === undefined) return "";
  const {
    strategy = "",
    interval: _,
    start: __,
    end: ___,
    ...others
  } = queryOf(spec, strategies.items.value ?? []);
  const words = Object.entries(others).map(
    ([name, value]) => `${name.replace(/^p\./, "").replaceAll("_", " ")} ${value}`,
  );
  return words.length === 0 ? strategy : `${strategy}, ${words.join(", ")}`;
}

/** Cryptos, candles and window. */
export function candleWords({ request, cryptoCount }: RunStarted): string {
  const spec = request?.spec;
  const interval = INTERVALS.find(({ number }) => number === spec?.interval)?.label ?? "1 hour";
  const window =
    spec?.startTime === undefined || spec.endTime === undefined
      ? ""
      : `, ${time(secondsOf(spec.startTime))} to ${time(secondsOf(spec.endTime))}`;
  return `${counted(cryptoCount, "crypto")}, candles of ${interval}${window}`;
}
