/**
 * The events of a run, from its first to its last, whatever happens to the connection.
 *
 * A stream that breaks or is preempted is followed by WatchRun after the last event, so there is no gap and no
 * double. A run that the gateway does not know (any more) is started; what it had computed is in the cache.
 */

import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { sleep } from "../sleep";
import { newRunId } from "../started";
import { backtests, runs } from "./clients";
import { type Explanation, explain } from "./explain";
import { BACKGROUND, Preempted, withStream } from "./one_stream";
import {
  type RunBacktestsRequest,
  RunBacktestsRequestSchema,
  type RunBacktestsResponse,
} from "./stubs/backcast/gateway/v1/backtest_service_pb";
import type { WatchRunResponse } from "./stubs/backcast/gateway/v1/run_service_pb";
import { whileAway } from "./while_away";

/** Results that are ready at the same time come together; the first one of a run comes alone, and at once. */
const RESULTS_PER_EVENT = 50;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/** What the events of all methods have whose runs can be watched. */
interface RunEvent {
  readonly sequence: bigint;
  readonly event: { readonly case?: string | undefined };
}

/** A method whose runs can be watched. */
export interface RunMethod<Request, Event extends RunEvent> {
  /** What it starts, in a word: run. */
  readonly noun: string;
  start(request: Request, runId: string, signal: AbortSignal): AsyncIterable<Event>;
  /** The method's own event of one of WatchRun. */
  eventOf(watched: WatchRunResponse): Event | undefined;
}

export const RUN_BACKTESTS: RunMethod<RunBacktestsRequest, RunBacktestsResponse> = {
  noun: "run",
  start: (request, runId, signal) =>
    backtests.runBacktests(
      create(RunBacktestsRequestSchema, { ...request, runId, maxResultsPerEvent: RESULTS_PER_EVENT }),
      { signal },
    ),
  eventOf: ({ event }) => event,
};

export interface RunListener<Event> {
  event(event: Event): void;
  /** Everything that came is void: the run has started anew, under this id, and its first event is here. */
  restarted(runId: string): void;
  /** The stream broke or a limit is reached; it is tried again after `waitMs`. */
  waiting(why: Explanation, waitMs: number): void;
  /** The stream is there again. */
  resumed(): void;
  /** The run ended with an error, after which there is nothing to wait for. */
  failed(why: Explanation): void;
}

/**
 * Follow a run until it ends or `signal` is aborted.
 *
 * With `known`, the run may be under way already, and is watched; otherwise it is started. If `requestOf` returns
 * undefined, it cannot be started, only watched.
 */
export async function followRun<Request, Event extends RunEvent>(
  method: RunMethod<Request, Event>,
  firstId: string,
  requestOf: () => Promise<Request | undefined>,
  listener: RunListener<Event>,
  signal: AbortSignal,
  { known = false, priority = BACKGROUND } = {},
): Promise<void> {
  let runId = firstId;
  let watch = known;
  let last = 0n;
  let came = 0;
  let pause = FIRST_PAUSE_MS;
  let broken = false;
  // What came before a new start stays until the new run answers: that may take as long as the gateway is away.
  let isVoid = false;
  const startAnew = () => {
    watch = false;
    isVoid ||= last > 0n || runId !== firstId;
    last = 0n;
  };
  while (!signal.aborted) {
    came = 0;
    try {
      const request = watch ? undefined : await requestOf();
      await withStream(priority, signal, async (open) => {
        const events = watch ? watched(method, runId, last, open) : started(method, runId, request, open);
        for await (const event of events) {
          if (signal.aborted) return;
          if (broken) listener.resumed();
          if (isVoid) listener.restarted(runId);
          broken = false;
          isVoid = false;
          came += 1;
          pause = FIRST_PAUSE_MS;
          watch = true;
          // After a break, an event may come that was there already.
          if (event.sequence <= last) continue;
          last = event.sequence;
          listener.event(event);
          if (event.event.case === "summary") return;
        }
        throw new TypeError("the stream ended before the run");
      });
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Preempted) {
        // What was preempted may have started the run.
        watch = true;
        continue;
      }
      const why = explain(error);
      if (watch && why.code === Code.NotFound && (await requestOf()) !== undefined) {
        // While the run is under way, its id is taken, although its first events are not kept any more.
        if (why.reason === "RUN_EVENTS_NOT_KEPT") runId = newRunId();
        startAnew();
        continue;
      }
      if (!watch && why.code === Code.AlreadyExists) {
        watch = true;
        continue;
      }
      const waitMs = why.retryMs ?? (why.away ? pause : undefined);
      if (waitMs === undefined) {
        listener.failed(why);
        return;
      }
      // A call that broke may have reached the gateway and started the run, which is watched then. A run that has
      // ended with an error says so whenever it is watched, and is started again.
      const ended = watch && !why.gatewayAway && came === 0;
      if ((ended || why.retryMs !== undefined) && (await requestOf()) !== undefined) startAnew();
      else watch = true;
      broken = true;
      listener.waiting(why, waitMs);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      await sleep(waitMs, signal);
    }
  }
}

async function* watched<Request, Event extends RunEvent>(
  { eventOf }: RunMethod<Request, Event>,
  runId: string,
  afterSequence: bigint,
  signal: AbortSignal,
) {
  const request = { runId, afterSequence, maxResultsPerEvent: RESULTS_PER_EVENT };
  for await (const response of runs.watchRun(request, { signal })) {
    const event = eventOf(response);
    if (event === undefined)
      throw new ConnectError(
        `another view shows ${runId}: open it from the view Runs`,
        Code.FailedPrecondition,
      );
    yield event;
  }
}

function started<Request, Event extends RunEvent>(
  { noun, start }: RunMethod<Request, Event>,
  runId: string,
  request: Request | undefined,
  signal: AbortSignal,
) {
  if (request === undefined) throw new Error(`a ${noun} without a request cannot be started`);
  return start(request, runId, signal);
}

/**
 * Cancel a run, for all who watch it, and return whether that is done; as long as the gateway is away, try again.
 *
 * `tell` gets the reason while it is not done. A run that the gateway does not know is not under way.
 */
export async function cancelAtGateway(
  runIdOf: () => string,
  tell: (why: Explanation) => void,
): Promise<boolean> {
  const cancel = () =>
    runs.cancelRun({ runId: runIdOf() }).catch((error) => {
      if (explain(error).reason !== "RUN_NOT_FOUND") throw error;
    });
  return whileAway(cancel, tell).then(
    () => true,
    () => false,
  );
}
