/** A run of one of the methods that can be watched: one at a time, and one stream with it. */

import { signal } from "@preact/signals";
import { type Query, rename } from "../address";
import type { Explanation } from "../api/explain";
import { cancelAtGateway, followRun, type RunMethod } from "../api/run_stream";
import { token, tokenWanted } from "../api/transport";
import { followInBackground } from "./background";
import { paced } from "./frame";
import { isUnderWay, type Phase } from "./phase";

/** What is known of any run, beside what its events have brought. */
export interface Followed {
  readonly runId: string;
  /** The fields that describe the run; undefined for one that is watched by its id, until it has said them. */
  readonly query: Query | undefined;
  readonly phase: Phase;
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
  /** Another one whenever something has come: what the events have brought grows in place. */
  readonly version: number;
}

const IDLE: Followed = {
  runId: "",
  query: undefined,
  phase: "idle",
  error: undefined,
  cancelling: false,
  cancelError: undefined,
  retryAt: 0,
  beganAt: 0,
  endedAt: undefined,
  version: 0,
};

type Changing<T> = { -readonly [K in keyof T]: T[K] };

/** `Content` is what the events bring. */
export class FollowedRun<
  Content extends object,
  Request,
  Event extends { readonly sequence: bigint; readonly event: { readonly case?: string | undefined } },
> {
  private readonly shown;
  private state: Changing<Followed> & Content;
  private stream = new AbortController();
  private again: (() => void) | undefined;
  private readonly publish = paced(() => {
    this.state.version += 1;
    this.shown.value = { ...this.state };
  });
  private readonly leaveUnderWay = () => {
    if (isUnderWay(this.state)) this.leave();
  };

  /**
   * `empty` returns the content of a run without events. `take` puts an event into the content, and returns whether
   * it is drawn at once.
   */
  constructor(
    private readonly method: RunMethod<Request, Event>,
    private readonly empty: () => Content,
    private readonly take: (content: Content, event: Event) => boolean,
  ) {
    this.state = { ...IDLE, ...empty() };
    this.shown = signal<Followed & Content>(this.state);
    // With another token, a run that was refused for want of one is asked for again.
    token.subscribe(() => {
      if (this.state.error?.wantsToken) this.again?.();
    });
  }

  /** The run as it was at the last frame. */
  get value(): Followed & Content {
    return this.shown.value;
  }

  peek(): Followed & Content {
    return this.shown.peek();
  }

  /**
   * Show a run: start it or, if it is `known`, watch it. The run shown before goes on, unless nobody watches it.
   *
   * `query` has the run's fields, if they are known. `requestOf` returns what starts the run, also anew if the gateway
   * does not know it any more; undefined if the run can only be watched.
   */
  show(
    runId: string,
    query: Query | undefined,
    requestOf: () => Promise<Request | undefined>,
    known: boolean,
  ): void {
    this.stream.abort();
    this.stream = new AbortController();
    this.again = () => this.show(this.state.runId, this.state.query, requestOf, true);
    followInBackground(this.leaveUnderWay);
    const { signal } = this.stream;
    this.state = this.fresh(runId, query);
    // A new run is sent before it is drawn: the services compute while the page draws.
    if (known) this.publish.now();
    else this.publish.nextFrame();
    const ofThisRun =
      <A extends unknown[]>(work: (...args: A) => void) =>
      (...args: A) => {
        if (!signal.aborted) work(...args);
      };
    void followRun(
      this.method,
      runId,
      requestOf,
      {
        event: ofThisRun((event) => {
          const atOnce = this.take(this.state, event);
          if (event.event.case === "summary") this.end("completed");
          if (atOnce) this.publish.now();
          else this.publish.soon();
        }),
        restarted: ofThisRun((id) => {
          const { runId: before, beganAt, cancelling, cancelError } = this.state;
          this.state = { ...this.fresh(id, this.state.query), beganAt, cancelling, cancelError };
          this.publish.now();
          if (id !== before) rename(before, id);
        }),
        waiting: ofThisRun((why, waitMs) => {
          if (why.wantsToken) tokenWanted.value = true;
          this.become({ phase: "waiting", error: why, retryAt: performance.now() + waitMs });
        }),
        resumed: ofThisRun(() => this.become({ phase: "running", error: undefined })),
        failed: ofThisRun((why) => {
          if (why.wantsToken) tokenWanted.value = true;
          this.end(why.reason === "RUN_CANCELLED" ? "cancelled" : "failed");
          this.state.error = why;
        }),
      },
      signal,
      { known },
    );
  }

  /** Say what the run is that is shown. */
  describe(query: Query): void {
    this.state.query = query;
    this.publish.now();
  }

  /** Show no run. */
  leave(): void {
    this.stream.abort();
    this.state = { ...IDLE, ...this.empty() };
    this.publish.now();
  }

  /** Cancel the run, for all who watch it; what has arrived stays. Until the gateway has answered, it goes on. */
  async cancel(): Promise<void> {
    if (this.state.cancelling) return;
    const { signal } = this.stream;
    let { runId } = this.state;
    const become = (part: Partial<Followed>) => {
      if (!signal.aborted) this.become(part);
    };
    become({ cancelling: true, cancelError: undefined });
    const cancelled = await cancelAtGateway(
      () => {
        // It may have been started anew, under another id.
        if (!signal.aborted) runId = this.state.runId;
        return runId;
      },
      (cancelError) => become({ cancelError }),
    );
    become({ cancelling: false });
    if (!cancelled || signal.aborted || !isUnderWay(this.state)) return;
    this.stream.abort();
    this.end("cancelled");
  }

  private become(part: Partial<Followed>): void {
    Object.assign(this.state, part);
    this.publish.soon();
  }

  private end(phase: Phase): void {
    this.state.phase = phase;
    this.state.endedAt = performance.now();
    this.publish.nextFrame();
  }

  private fresh(runId: string, query: Query | undefined): Changing<Followed> & Content {
    return { ...IDLE, ...this.empty(), runId, query, phase: "running", beganAt: performance.now() };
  }
}
