/** What the view asks the gateway for. */

import { create, mergeFromBinary, toBinary } from "@bufbuild/protobuf";
import { backtests, marketData } from "../../api/clients";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import {
  type BacktestResult,
  BacktestResultSchema,
  Detail,
} from "../../api/stubs/backcast/backtest/v1/result_pb";
import {
  type CacheMode,
  type RunBacktestRequest,
  RunBacktestRequestSchema,
} from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { doublesOf, joined, secondsOfColumn } from "./columns";

export interface LoadedResult {
  /** With every default filled in. */
  readonly spec: BacktestSpec;
  readonly result: BacktestResult;
}

/** Backtest one crypto, with trades, all points of the equity curve, and months. */
export async function loadResult(
  symbol: string,
  spec: BacktestSpec,
  cacheMode: CacheMode,
  signal: AbortSignal,
): Promise<LoadedResult> {
  let request: RunBacktestRequest = create(RunBacktestRequestSchema, {
    symbol,
    spec,
    detail: Detail.EQUITY,
    cacheMode,
  });
  const first = await backtests.runBacktest(request, { signal });
  const result = first.result ?? create(BacktestResultSchema, { symbol });
  let pageToken = first.nextPageToken;
  // The pages must be of the same window: the request of the first response has its end.
  request = first.request ?? request;
  while (pageToken !== "") {
    const page = await backtests.runBacktest({ ...request, pageToken }, { signal });
    if (page.result)
      mergeFromBinary(BacktestResultSchema, result, toBinary(BacktestResultSchema, page.result));
    pageToken = page.nextPageToken;
  }
  return { spec: request.spec ?? spec, result };
}

/** Candles as columns; times in seconds since 1970. */
export interface CandleColumns {
  readonly times: Float64Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
}

/** Load the candles of the window of `spec`, which has all defaults. */
export async function loadCandles(
  symbol: string,
  spec: BacktestSpec,
  signal: AbortSignal,
): Promise<CandleColumns> {
  const { interval, startTime, endTime } = spec;
  const request = {
    symbols: [symbol],
    interval,
    ...(startTime && { startTime }),
    ...(endTime && { endTime }),
  };
  const parts: CandleColumns[] = [];
  for await (const { blocks } of marketData.streamCandles(request, { signal }))
    for (const { columns } of blocks) {
      if (!columns) continue;
      parts.push({
        times: secondsOfColumn(columns.openTimeS),
        open: doublesOf(columns.open),
        high: doublesOf(columns.high),
        low: doublesOf(columns.low),
        close: doublesOf(columns.close),
      });
    }
  const column = (name: keyof CandleColumns) => joined(parts.map((part) => part[name]));
  return {
    times: column("times"),
    open: column("open"),
    high: column("high"),
    low: column("low"),
    close: column("close"),
  };
}

/** A series that the strategy compares, at times of its own. */
export interface Series {
  readonly label: string;
  readonly pane: number;
  readonly levels: readonly number[];
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/** Load the series that the strategy of `spec` compares over its window. */
export async function loadSeries(symbol: string, spec: BacktestSpec, signal: AbortSignal): Promise<Series[]> {
  const named: { label: string; pane: number; levels: readonly number[] }[] = [];
  const times: Float64Array[] = [];
  const values: Float64Array[][] = [];
  for await (const { series, block } of backtests.streamSeries({ symbol, spec }, { signal })) {
    named.push(...series.map(({ label, pane, levels }) => ({ label, pane, levels })));
    if (!block) continue;
    times.push(secondsOfColumn(block.openTimeS));
    for (const [index, column] of block.values.entries()) {
      values[index] ??= [];
      values[index].push(doublesOf(column));
    }
  }
  const all = joined(times);
  return named.map((one, index) => ({ ...one, times: all, values: joined(values[index] ?? []) }));
}
