/** The run that the page shows. */

import { RUN_BACKTESTS } from "../api/run_stream";
import type {
  RunBacktestsRequest,
  RunBacktestsResponse,
  RunStarted,
} from "../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { Progress, RunFailure, RunSummary } from "../api/stubs/backcast/gateway/v1/run_events_pb";
import { type Followed, FollowedRun } from "./followed_run";
import { Results } from "./results";

interface RunContent {
  readonly results: Results;
  readonly failures: RunFailure[];
  started: RunStarted | undefined;
  progress: Progress | undefined;
  summary: RunSummary | undefined;
}

export type RunSnapshot = Followed & Readonly<RunContent>;

export const run = new FollowedRun<RunContent, RunBacktestsRequest, RunBacktestsResponse>(
  RUN_BACKTESTS,
  () => ({
    results: new Results(),
    failures: [],
    started: undefined,
    progress: undefined,
    summary: undefined,
  }),
  take,
);

function take(content: RunContent, { event, progress }: RunBacktestsResponse): boolean {
  const { results, failures } = content;
  const isFirst = results.length === 0;
  content.progress = progress;
  switch (event.case) {
    case "started":
      content.started = event.value;
      break;
    case "result":
      results.add(event.value);
      break;
    case "results":
      for (const result of event.value.results) results.add(result);
      break;
    case "failure":
      failures.push(event.value);
      break;
    case "summary":
      content.summary = event.value;
      break;
  }
  // The first result is what one waits for: it does not wait for a frame.
  return isFirst && results.length > 0;
}
