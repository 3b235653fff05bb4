/** Files of a run for other programs. */

import { jsonOf } from "../../api/json";
import { BacktestResultSchema } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { RunBacktestsRequestSchema } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { RunFailureSchema, RunSummarySchema } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { csvOf, csvTimestamp } from "../../csv";
import { METRICS } from "../../metrics";
import { save } from "../../save";
import type { RunSnapshot } from "../../state/run";

/** Download the results as a table: a row for each crypto, ordered by symbol. */
export function downloadCsv({ runId, results }: RunSnapshot): void {
  const names = [
    ...["symbol", ...METRICS.map(({ name }) => name), "first_candle_time", "last_candle_time"],
    ...["expected_candles", "missing_candles", "from_cache"],
  ];
  const ordered = [...results.all].sort((left, right) => (left.symbol < right.symbol ? -1 : 1));
  const rows = ordered.map(({ symbol, metrics, coverage, fromCache }) => [
    symbol,
    ...METRICS.map(({ field }) => metrics?.[field]),
    csvTimestamp(coverage?.firstCandleTime),
    csvTimestamp(coverage?.lastCandleTime),
    coverage?.expectedCandles,
    coverage?.missingCandles,
    fromCache,
  ]);
  save(`${runId}.csv`, "text/csv", csvOf(names, rows));
}

/** Download everything that came, in the JSON of the API. */
export function downloadJson({ runId, started, results, failures, summary }: RunSnapshot): void {
  const file = {
    run_id: runId,
    request: started?.request && jsonOf(RunBacktestsRequestSchema, started.request),
    results: results.all.map((result) => jsonOf(BacktestResultSchema, result)),
    failures: failures.map((failure) => jsonOf(RunFailureSchema, failure)),
    summary: summary && jsonOf(RunSummarySchema, summary),
  };
  save(`${runId}.json`, "application/json", `${JSON.stringify(file, null, 1)}\n`);
}
