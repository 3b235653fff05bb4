/** The run that the page shows: one at a time, and one stream with it. */

import { signal } from "@preact/signals";
import { type Query, rename } from "../address";
import type { Explanation } from "../api/explain";
import { cancelAtGateway, followRun } from "../api/run_stream";
import type {
  RunBacktestsRequest,
  RunBacktestsResponse,
  RunStarted,
} from "../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { Progress, RunFailure, RunSummary } from "../api/stubs/backcast/gateway/v1/run_events_pb";
import { token, tokenWanted } from "../api/transport";
import { paced } from "./frame";
import { isUnderWay, type Phase } from "./phase";
import { Results } from "./results";

/** What is known of the run. The arrays grow; `version` says that they did. */
export interface RunSnapshot {
  readonly runId: string;
  /** The fields that describe the run; undefined for one that is watched by its id, until it has said them. */
  readonly query: Query | undefined;
  readonly phase: Phase;
  readonly results: Results;
  readonly failures: readonly RunFailure[];
  readonly started: RunStarted | undefined;
  readonly progress: Progress | undefined;
  readonly summary: RunSummary | undefined;
  /** Why the run waits or has failed. */
  readonly error: Explanation | undefined;
  /** True after somebody has pressed Cancel, until the gateway has answered. */
  readonly cancelling: boolean;
  /** Why the run is not cancelled, although it was asked for. */
  readonly cancelError: Explanation | undefined;
  /** When the run waits: the time at which it is tried again, as of performance.now(). */
  readonly retryAt: number;
  /** When the page began to follow the run, and when the run ended, as of performance.now(). */
  readonly beganAt: number;
  readonly endedAt: number | undefined;
  readonly version: number;
}

const IDLE: RunSnapshot = {
  runId: "",
  query: undefined,
  phase: "idle",
  results: new Results(),
  failures: [],
  started: undefined,
  progress: undefined,
  summary: undefined,
  error: undefined,
  cancelling: false,
  cancelError: undefined,
  retryAt: 0,
  beganAt: 0,
  endedAt: undefined,
  version: 0,
};

const shown = signal<RunSnapshot>(IDLE);

/** The run as it was at the last frame. */
export const run: { readonly value: RunSnapshot; peek(): RunSnapshot } = shown;

type State = { -readonly [K in keyof RunSnapshot]: RunSnapshot[K] } & { failures: RunFailure[] };

let state: State = { ...IDLE, failures: [] };
let stream = new AbortController();
let again: (() => void) | undefined;

const publish = paced(() => {
  state.version += 1;
  shown.value = { ...state };
});

/**
 * Show a run: start it or, if it is `known`, watch it. The run shown before goes on, unless nobody watches it.
 *
 * `query` has the run's fields, if they are known. `requestOf` returns what starts the run, also anew if the gateway does not know it any more; undefined if the
 * run can only be watched.
 */
export function showRun(
  runId: string,
  query: Query | undefined,
  requestOf: () => Promise<RunBacktestsRequest | undefined>,
  known: boolean,
): void {
  stream.abort();
  stream = new AbortController();
  again = () => showRun(runId, state.query, requestOf, true);
  const { signal } = stream;
  state = fresh(runId, query);
  // A new run is sent before it is drawn: the services compute while the page draws.
  if (known) publish.now();
  else publish.nextFrame();
  const ofThisRun =
    <A extends unknown[]>(work: (...args: A) => void) =>
    (...args: A) => {
      if (!signal.aborted) work(...args);
    };
  void followRun(
    runId,
    requestOf,
    {
      event: ofThisRun(take),
      restarted: ofThisRun((id) => {
        const { runId: before, beganAt, cancelling, cancelError } = state;
        state = { ...fresh(id, state.query), beganAt, cancelling, cancelError };
        publish.now();
        if (id !== before) rename(before, id);
      }),
      waiting: ofThisRun((why, waitMs) => {
        if (why.wantsToken) tokenWanted.value = true;
        state.phase = "waiting";
        state.error = why;
        state.retryAt = performance.now() + waitMs;
        publish.soon();
      }),
      resumed: ofThisRun(() => {
        state.phase = "running";
        state.error = undefined;
        publish.soon();
      }),
      failed: ofThisRun((why) => {
        if (why.wantsToken) tokenWanted.value = true;
        end(why.reason === "RUN_CANCELLED" ? "cancelled" : "failed");
        state.error = why;
      }),
    },
    signal,
    { known },
  );
}

// With another token, a run that was refused for want of one is asked for again.
token.subscribe(() => {
  if (state.error?.wantsToken && again !== undefined) again();
});

/** Say what the run is that is shown. */
export function describeRun(query: Query): void {
  state.query = query;
  publish.now();
}

/** Show no run. */
export function leaveRun(): void {
  stream.abort();
  state = { ...IDLE, failures: [] };
  publish.now();
}

/** Cancel the run, for all who watch it; what has arrived stays. Until the gateway has answered, it goes on. */
export async function cancelRun(): Promise<void> {
  if (state.cancelling) return;
  const { signal } = stream;
  let { runId } = state;
  const become = (part: Partial<State>) => {
    if (signal.aborted) return;
    Object.assign(state, part);
    publish.soon();
  };
  become({ cancelling: true, cancelError: undefined });
  const cancelled = await cancelAtGateway(
    () => {
      // It may have been started anew, under another id.
      if (!signal.aborted) runId = state.runId;
      return runId;
    },
    (cancelError) => become({ cancelError }),
  );
  become({ cancelling: false });
  if (!cancelled || signal.aborted || !isUnderWay(state)) return;
  stream.abort();
  end("cancelled");
}

function fresh(runId: string, query: Query | undefined): State {
  return {
    ...IDLE,
    runId,
    query,
    phase: "running",
    results: new Results(),
    failures: [],
    beganAt: performance.now(),
  };
}

function end(phase: Phase): void {
  state.phase = phase;
  state.endedAt = performance.now();
  publish.nextFrame();
}

function take({ event, progress }: RunBacktestsResponse): void {
  const isFirst = state.results.length === 0;
  state.progress = progress;
  switch (event.case) {
    case "started":
      state.started = event.value;
      break;
    case "result":
      state.results.add(event.value);
      break;
    case "results":
      for (const result of event.value.results) state.results.add(result);
      break;
    case "failure":
      state.failures.push(event.value);
      break;
    case "summary":
      state.summary = event.value;
      end("completed");
      break;
  }
  // The first result is what one waits for: it does not wait for a frame.
  if (isFirst && state.results.length > 0) publish.now();
  else publish.soon();
}
