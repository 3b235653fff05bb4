import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Query } from "../../address";
import { type Explanation, explain } from "../../api/explain";
import { BRIEF, withStream } from "../../api/one_stream";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { BacktestResult } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { CacheMode } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { token, tokenWanted } from "../../api/transport";
import type { Problems } from "../../execution";
import { requestOf } from "../../request";
import { type CandleColumns, loadCandles, loadResult, loadSeries, type Series } from "./load";

const PAUSE_MS = 2_000;

/** What has arrived of the crypto that the address names. */
export interface Crypto {
  /** With every default filled in. */
  readonly spec?: BacktestSpec;
  readonly result?: BacktestResult;
  readonly candles?: CandleColumns;
  /** The strategy's own series; empty if it has none, or if they could not be loaded. */
  readonly series?: readonly Series[];
  /** Why there is no result. */
  readonly error?: Explanation | undefined;
  /** What is wrong with the address. */
  readonly problems?: Problems;
  /** Why there are no candles, or no series. */
  readonly chartError?: Explanation | undefined;
}

/** Load the crypto of the address, and again whenever the gateway is back or a token is entered. */
export function useCrypto(query: Query): Crypto & { readonly retry: () => void } {
  const [crypto, setCrypto] = useState<Crypto>({});
  const shown = useRef("");
  const [attempt, setAttempt] = useState(0);
  const retry = useCallback(() => setAttempt((number) => number + 1), []);
  const key = JSON.stringify({ ...query, trade: undefined, sort: undefined });
  const carried = token.value;

  // The key stands for the query.
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    // What is wrong stays on the page until another try knows better.
    if (shown.current !== key) setCrypto({});
    shown.current = key;
    void load(query, abort.signal, (part) => {
      if (abort.signal.aborted) return;
      setCrypto((before) => ({ ...before, ...part }));
      const error = part.error ?? part.chartError;
      if (error?.wantsToken) tokenWanted.value = true;
      if (error?.away) timer = setTimeout(retry, error.retryMs ?? PAUSE_MS);
    });
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, attempt, carried]);
  return { ...crypto, retry };
}

async function load(query: Query, signal: AbortSignal, tell: (part: Crypto) => void): Promise<void> {
  const symbol = query.symbol ?? "";
  let spec: BacktestSpec;
  try {
    const made = await requestOf(query);
    if (Object.keys(made.problems).length > 0) return tell({ problems: made.problems });
    const loaded = await loadResult(symbol, made.spec, CacheMode.DEFAULT, signal);
    spec = loaded.spec;
    tell({ ...loaded, error: undefined });
  } catch (error) {
    return tell({ error: explain(error) });
  }
  try {
    await withStream(BRIEF, signal, async (open) => {
      tell({ candles: await loadCandles(symbol, spec, open) });
      tell({ series: await loadSeries(symbol, spec, open), chartError: undefined });
    });
  } catch (error) {
    tell({ series: [], chartError: explain(error) });
  }
}
