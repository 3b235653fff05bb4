/** Files of a run for other programs. */

import { jsonOf } from "../../api/json";
import { BacktestResultSchema } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { RunBacktestsRequestSchema } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { RunFailureSchema, RunSummarySchema } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { METRICS } from "../../metrics";
import { save } from "../../save";
import type { RunSnapshot } from "../../state/run";

/** Download the results as a table: a row for each crypto, in order of arrival; an undefined metric is empty. */
export function downloadCsv({ runId, results }: RunSnapshot): void {
  const heading = ["symbol", ...METRICS.map(({ name }) => name), "missing_candles", "from_cache"];
  const rows = results.all.map((result) => [
    result.symbol,
    ...METRICS.map(({ field }) => result.metrics?.[field] ?? ""),
    result.coverage?.missingCandles ?? "",
    result.fromCache,
  ]);
  save(`${runId}.csv`, "text/csv", [heading, ...rows].map((row) => `${row.join(",")}\r\n`).join(""));
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
