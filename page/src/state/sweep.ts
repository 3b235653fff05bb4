/** The sweep that the page shows: one at a time, and one stream with it. */

import { create } from "@bufbuild/protobuf";
import { signal } from "@preact/signals";
import { rename } from "../address";
import { backtests } from "../api/clients";
import { type Explanation, explain } from "../api/explain";
import { BACKGROUND, Preempted, withStream } from "../api/one_stream";
import { cancelAtGateway } from "../api/run_stream";
import {
  type SweepBacktestsRequest,
  SweepBacktestsRequestSchema,
  type SweepBacktestsResponse,
  type SweepStarted,
} from "../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type {
  OutOfSample,
  SweepFailure,
  SweepProgress,
  SweepSummary,
  SweepTrial,
} from "../api/stubs/backcast/gateway/v1/sweep_pb";
import { token, tokenWanted } from "../api/transport";
import { sleep } from "../sleep";
import { newRunId } from "../started";
import { followInBackground } from "./background";
import { paced } from "./frame";
import { isUnderWay, type Phase } from "./phase";
import { SweepTable } from "./sweep_table";

/** What is known of the sweep. The table and the lists grow; `version` says that they did. */
export interface SweepSnapshot {
  readonly runId: string;
  readonly phase: Phase;
  readonly request: SweepBacktestsRequest | undefined;
  readonly started: SweepStarted | undefined;
  readonly progress: SweepProgress | undefined;
  /** The best trials so far, best first. */
  readonly best: readonly SweepTrial[];
  readonly table: SweepTable | undefined;
  readonly failures: readonly SweepFailure[];
  readonly outOfSample: readonly OutOfSample[];
  readonly summary: SweepSummary | undefined;
  /** Why the sweep waits or has failed. */
  readonly error: Explanation | undefined;
  /** True after somebody has pressed Cancel, until the gateway has answered. */
  readonly cancelling: boolean;
  /** Why the sweep is not cancelled, although it was asked for. */
  readonly cancelError: Explanation | undefined;
  /** When the page began to follow the sweep, and when it ended, as of performance.now(). */
  readonly beganAt: number;
  readonly endedAt: number | undefined;
  readonly version: number;
}

const IDLE: SweepSnapshot = {
  runId: "",
  phase: "idle",
  request: undefined,
  started: undefined,
  progress: undefined,
  best: [],
  table: undefined,
  failures: [],
  outOfSample: [],
  summary: undefined,
  error: undefined,
  cancelling: false,
  cancelError: undefined,
  beganAt: 0,
  endedAt: undefined,
  version: 0,
};

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

const shown = signal<SweepSnapshot>(IDLE);

/** The sweep as it was at the last frame. */
export const sweep: { readonly value: SweepSnapshot; peek(): SweepSnapshot } = shown;

type State = { -readonly [K in keyof SweepSnapshot]: SweepSnapshot[K] } & {
  failures: SweepFailure[];
  outOfSample: OutOfSample[];
};

let state: State = idle();
let stream = new AbortController();

const publish = paced(() => {
  state.version += 1;
  shown.value = { ...state };
});

/** Start a sweep under an id; the one before is cancelled. */
export function startSweep(runId: string, request: SweepBacktestsRequest): void {
  stream.abort();
  followInBackground(leaveUnderWay);
  stream = new AbortController();
  state = { ...idle(), runId, request, phase: "running", beganAt: performance.now() };
  publish.now();
  void follow(runId, request, stream.signal);
}

/** Show no sweep. */
export function leaveSweep(): void {
  stream.abort();
  state = idle();
  publish.now();
}

/** Cancel the sweep; the best so far stays. It is not followed from now on, and so it is not started again. */
export async function cancelSweep(): Promise<void> {
  if (state.cancelling) return;
  const { runId } = state;
  stream.abort();
  const become = (part: Partial<State>) => {
    if (state.runId !== runId) return;
    Object.assign(state, part);
    publish.soon();
  };
  become({ cancelling: true, error: undefined });
  const cancelled = await cancelAtGateway(
    () => runId,
    (cancelError) => become({ cancelError }),
  );
  become({ cancelling: false });
  if (state.runId === runId && isUnderWay(state)) end(cancelled ? "cancelled" : "failed");
}

// Without a reader, the gateway ends the sweep.
function leaveUnderWay(): void {
  if (!isUnderWay(state)) return;
  stream.abort();
  end("cancelled");
}

// With another token, a sweep that was refused for want of one is asked for again.
token.subscribe(() => {
  if (state.error?.wantsToken && state.request !== undefined) startSweep(state.runId, state.request);
});

function idle(): State {
  return { ...IDLE, failures: [], outOfSample: [] };
}

async function follow(firstId: string, request: SweepBacktestsRequest, signal: AbortSignal): Promise<void> {
  let runId = firstId;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      const named = create(SweepBacktestsRequestSchema, { ...request, runId });
      await withStream(BACKGROUND, signal, async (open) => {
        for await (const event of backtests.sweepBacktests(named, { signal: open })) {
          if (signal.aborted) return;
          pause = FIRST_PAUSE_MS;
          take(event);
          if (event.event.case === "summary") return;
        }
        throw new TypeError("the stream ended before the sweep");
      });
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Preempted)) {
        const why = explain(error);
        if (why.wantsToken) tokenWanted.value = true;
        const waitMs = why.retryMs ?? (why.away ? pause : undefined);
        state.error = why;
        if (waitMs === undefined) {
          end(why.reason === "RUN_CANCELLED" ? "cancelled" : "failed");
          return;
        }
        state.phase = "waiting";
        publish.soon();
        await sleep(waitMs, signal);
        if (signal.aborted) return;
      }
      // The one before may still be ending; its figures are in the cache.
      const before = runId;
      runId = newRunId();
      state.runId = runId;
      // At once: a view that is opened meanwhile takes another id than that of the address for another sweep.
      publish.now();
      rename(before, runId);
    }
  }
}

function end(phase: Phase): void {
  state.phase = phase;
  state.endedAt = performance.now();
  publish.nextFrame();
}

function take({ event }: SweepBacktestsResponse): void {
  state.phase = "running";
  state.error = undefined;
  switch (event.case) {
    case "started": {
      const { request, combinationCount } = event.value;
      state.started = event.value;
      state.failures = [];
      state.outOfSample = [];
      state.table = new SweepTable(request?.ranges ?? [], combinationCount, request?.cut.case !== undefined);
      break;
    }
    case "progress":
      state.progress = event.value;
      break;
    case "best":
      state.best = event.value.trials;
      break;
    case "failure":
      state.failures.push(event.value);
      break;
    case "rows":
      for (const row of event.value.rows) state.table?.add(row);
      break;
    case "outOfSample":
      state.outOfSample.push(event.value);
      break;
    case "summary":
      state.summary = event.value;
      state.progress = event.value.progress;
      end("completed");
      break;
  }
  publish.soon();
}
