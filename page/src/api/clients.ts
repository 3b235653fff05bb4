/** The services of the gateway, as clients with types. */

import { createClient } from "@connectrpc/connect";
import { allPages } from "./pages";
import { BacktestService } from "./stubs/backcast/gateway/v1/backtest_service_pb";
import { type Run, RunService } from "./stubs/backcast/gateway/v1/run_service_pb";
import { MarketDataService } from "./stubs/backcast/marketdata/v1/market_data_service_pb";
import { transport } from "./transport";

export const backtests = createClient(BacktestService, transport);
export const runs = createClient(RunService, transport);
export const marketData = createClient(MarketDataService, transport);

/** Return all runs that the gateway knows, ordered by start time, oldest first. */
export async function knownRuns(signal: AbortSignal): Promise<Run[]> {
  const pages = await allPages((page) => runs.listRuns(page, { signal }));
  return pages.flatMap((page) => page.runs);
}
