import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { clone, create, type MessageInitShape, mergeFromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, createClient, type Transport } from "@connectrpc/connect";
import { problemOf } from "./errors.ts";
import { BacktestResultSchema } from "./gen/backcast/backtest/v1/result_pb.js";
import {
  BacktestService,
  type RunBacktestsRequest,
  RunBacktestsRequestSchema,
  type RunBacktestsResponse,
} from "./gen/backcast/gateway/v1/backtest_service_pb.js";
import { RunService } from "./gen/backcast/gateway/v1/run_service_pb.js";

const FIRST_PAUSE_MS = 200;
const LONG_PAUSE_MS = 5_000;
/** Streams in a row that end without an event. */
const MOST = 20;

/** How Node.js' HTTP says that a connection broke; the gateway's own errors with these codes have a reason. */
const BROKEN = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Internal, Code.Unknown];

/** How long a run may take, and what ends it before. */
export interface Limits {
  signal: AbortSignal;
  /** As of Date.now(). */
  deadlineMs?: number | undefined;
}

/**
 * Start a run and yield its events until it ends, whatever happens to the connection: each crypto comes once, with its
 * whole result. Whoever leaves the loop leaves the run, which is paused.
 */
export async function* follow(
  transport: Transport,
  request: MessageInitShape<typeof RunBacktestsRequestSchema>,
  limits: Limits,
): AsyncGenerator<RunBacktestsResponse> {
  const asked = clone(RunBacktestsRequestSchema, create(RunBacktestsRequestSchema, request));
  const run = new FollowedRun(transport, asked);
  for (;;) {
    try {
      for await (const event of run.stream(limits)) {
        const whole = run.take(event);
        if (whole !== undefined) yield whole;
      }
      return;
    } catch (error) {
      const waitMs = run.afterError(error);
      if (waitMs === undefined || limits.signal.aborted) throw error;
      console.error(`${error}; trying again after ${waitMs} ms`);
      await sleep(waitMs, undefined, { signal: limits.signal });
    }
  }
}

/** A run, and what of it has come. */
class FollowedRun {
  readonly #backtests: Client<typeof BacktestService>;
  readonly #runs: Client<typeof RunService>;
  readonly #seen = new Set<string>();
  #request: RunBacktestsRequest;
  /** The gateway has the run, so it is watched. */
  #started = false;
  #lastSequence = 0n;
  /** The last event, with the parts of its result that have come. */
  #event: RunBacktestsResponse | undefined;
  /** Streams in a row that ended without an event. */
  #failures = 0;

  constructor(transport: Transport, request: RunBacktestsRequest) {
    this.#backtests = createClient(BacktestService, transport);
    this.#runs = createClient(RunService, transport);
    this.#request = request;
    this.#startAnew();
  }

  /** Let the next stream start a run, under an id that no other run has. */
  #startAnew(): void {
    this.#request.runId = randomUUID();
    this.#started = false;
    this.#lastSequence = 0n;
    this.#event = undefined;
  }

  // docs: resume
  /** Start the run, or watch it after the last event. */
  async *stream({ signal, deadlineMs }: Limits): AsyncGenerator<RunBacktestsResponse> {
    const options = { signal, timeoutMs: deadlineMs && Math.max(1, deadlineMs - Date.now()) };
    if (this.#started) {
      const { runId } = this.#request;
      const responses = this.#runs.watchRun({ runId, afterSequence: this.#lastSequence }, options);
      for await (const { event } of responses) if (event !== undefined) yield event;
    } else {
      // The gateway sends metadata when it has the run.
      const onHeader = (header: Headers) => {
        this.#started = header.has("backcast-run-id");
      };
      yield* this.#backtests.runBacktests(this.#request, { ...options, onHeader });
    }
  }

  // docs: end

  // docs: parts
  /** Join the parts of a result; return the event if it is whole and has not come before. */
  take(event: RunBacktestsResponse): RunBacktestsResponse | undefined {
    this.#failures = 0;
    this.#lastSequence = event.sequence;
    if (event.event.case === "resultContinuation" && this.#event?.event.case === "result") {
      const part = toBinary(BacktestResultSchema, event.event.value);
      mergeFromBinary(BacktestResultSchema, this.#event.event.value, part);
      this.#event.resultContinues = event.resultContinues;
    } else {
      this.#event = event;
    }
    // A default end moves on; a run that is started anew has the window of the first.
    if (event.event.case === "started") this.#request = event.event.value.request ?? this.#request;
    const { event: outcome, resultContinues } = this.#event;
    if (resultContinues) return undefined;
    if (outcome.case === "result" || outcome.case === "failure") {
      if (this.#seen.has(outcome.value.symbol)) return undefined;
      this.#seen.add(outcome.value.symbol);
    }
    return this.#event;
  }

  // docs: end

  // docs: after an error
  /** Return after how many milliseconds to open the next stream; undefined if the error is final. */
  afterError(error: unknown): number | undefined {
    const why = problemOf(error);
    this.#failures += 1;
    if (this.#failures > MOST) return undefined;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONG_PAUSE_MS);
    // The gateway does not have the run any more, or not its next event.
    if (why.code === Code.NotFound && this.#started) {
      this.#startAnew();
      return 0;
    }
    // A limit is reached.
    if (why.retryAfterMs !== undefined) return why.retryAfterMs;
    if (!this.#started) return undefined;
    // The connection broke.
    if (why.reason === "" && BROKEN.includes(why.code)) return pauseMs;
    // Not the connection, but the run: it has ended with this error.
    if (why.code === Code.Unavailable) {
      this.#startAnew();
      return pauseMs;
    }
    return undefined;
  }
  // docs: end
}
