/** The runs that are compared: each is named by the query of its address, as text, and loaded once. */

import { signal } from "@preact/signals";
import { href, type Query } from "../address";
import { type Explanation, explain } from "../api/explain";
import { followRun, newRunId } from "../api/run_stream";
import type { BacktestSpec } from "../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { RunBacktestsResponse, RunStarted } from "../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { Progress, RunSummary } from "../api/stubs/backcast/gateway/v1/run_events_pb";
import { tokenWanted } from "../api/transport";
import { requestOf } from "../request";
import { oncePerFrame } from "./frame";
import { Results } from "./results";
import { leaveRun, run } from "./run";
import { leaveSweep, sweep } from "./sweep";

export interface ComparedRun {
  readonly name: string;
  readonly query: Query;
  readonly phase: "waits" | "loading" | "loaded" | "failed";
  readonly results: Results;
  readonly started: RunStarted | undefined;
  readonly progress: Progress | undefined;
  readonly summary: RunSummary | undefined;
  /** Why it has failed, or why it waits for the gateway. */
  readonly error: Explanation | undefined;
  /** What is wrong with its address, as a sentence. */
  readonly problem: string | undefined;
}

type State = { -readonly [K in keyof ComparedRun]: ComparedRun[K] };

const shown = signal<ReadonlyMap<string, ComparedRun>>(new Map());

/** What is known of the runs, by name. */
export const compared: { readonly value: ReadonlyMap<string, ComparedRun> } = shown;

const states = new Map<string, State>();
let wanted: readonly string[] = [];
let loading: { readonly name: string; readonly stop: AbortController } | undefined;

const publish = oncePerFrame(() => {
  shown.value = new Map([...states].map(([name, state]) => [name, { ...state }]));
});

/** Return the name of the run that a query describes. */
export function nameOf(query: Query): string {
  return href("run", query).slice(2);
}

/** Return the query of a name, of an address of the view Run, or of a run's id. */
export function queryNamed(text: string): Query {
  const trimmed = text.trim();
  const query = trimmed.includes("?") ? trimmed.slice(trimmed.indexOf("?") + 1) : trimmed;
  return query.includes("=") ? Object.fromEntries(new URLSearchParams(query)) : { run: query };
}

/** Load these runs, one after the other, and forget others. */
export function compare(names: readonly string[]): void {
  wanted = names;
  for (const name of states.keys()) if (!names.includes(name)) states.delete(name);
  for (const name of names) if (!states.has(name)) states.set(name, fresh(name));
  if (loading !== undefined && !names.includes(loading.name)) loading.stop.abort();
  publish.now();
  void loadNext();
}

/** Load a run again that has failed. */
export function loadAgain(name: string): void {
  states.delete(name);
  compare(wanted);
}

function fresh(name: string): State {
  const nothing = { started: undefined, progress: undefined, summary: undefined, error: undefined };
  const query = queryNamed(name);
  return { name, query, phase: "waits", results: new Results(), problem: undefined, ...nothing };
}

async function loadNext(): Promise<void> {
  if (loading !== undefined && !loading.stop.signal.aborted) return;
  const name = wanted.find((one) => states.get(one)?.phase === "waits");
  const state = name === undefined ? undefined : states.get(name);
  if (state === undefined) return;
  const mine = { name: state.name, stop: new AbortController() };
  loading = mine;
  // A tab has one stream.
  if (run.peek().phase === "running" || run.peek().phase === "waiting") leaveRun();
  if (sweep.peek().phase === "running" || sweep.peek().phase === "waiting") leaveSweep();
  await load(state, mine.stop.signal);
  if (loading === mine) loading = undefined;
  publish.ask();
  void loadNext();
}

async function load(state: State, signal: AbortSignal): Promise<void> {
  state.phase = "loading";
  const { query } = state;
  const request = async () => {
    if (query.strategy === undefined) return undefined;
    const { request, problems } = await requestOf(query);
    state.problem = Object.values(problems)[0];
    return state.problem === undefined ? request : undefined;
  };
  try {
    if (query.run === undefined && (await request()) === undefined) {
      state.problem ??= "It names neither a run nor a strategy.";
      state.phase = "failed";
      return;
    }
    await followRun(
      query.run ?? newRunId(),
      request,
      {
        event: (event) => take(state, event),
        restarted() {
          Object.assign(state, { ...fresh(state.name), phase: "loading" });
        },
        waiting(why) {
          if (why.wantsToken) tokenWanted.value = true;
          state.error = why;
          publish.ask();
        },
        resumed() {
          state.error = undefined;
        },
        failed(why) {
          if (why.wantsToken) tokenWanted.value = true;
          state.error = why;
          state.phase = "failed";
        },
      },
      signal,
      { known: query.run !== undefined },
    );
  } catch (error) {
    state.error = explain(error);
    state.phase = "failed";
  }
}

function take(state: State, { event, progress }: RunBacktestsResponse): void {
  state.progress = progress;
  if (event.case === "started") state.started = event.value;
  else if (event.case === "result") state.results.add(event.value);
  else if (event.case === "results") for (const result of event.value.results) state.results.add(result);
  else if (event.case === "summary") {
    state.summary = event.value;
    state.phase = "loaded";
  }
  publish.ask();
}

/** The backtest of a run with every default filled in. */
export function specOfRun({ started }: ComparedRun): BacktestSpec | undefined {
  return started?.request?.spec;
}
