/**
 * The address of the view: `a` to `f` are the runs that are compared, each as the query of a backtest.
 *
 * Queries, and not ids of runs, so that a link means the same when the gateway has forgotten the runs.
 */

import { encode, type Query } from "../../address";
import { runs } from "../../api/clients";
import { BRIEF, withStream } from "../../api/one_stream";
import { queryOfRun } from "../../request";
import { strategyName } from "../../spec";

const SLOTS = ["a", "b", "c", "d", "e", "f"] as const;
export const MOST_SIDES = SLOTS.length;

/** A run that is compared. */
export interface Side {
  readonly slot: string;
  readonly text: string;
  readonly query: Query;
}

export function sidesOf(query: Query): Side[] {
  return SLOTS.flatMap((slot) => {
    const text = query[slot];
    return text ? [{ slot, text, query: Object.fromEntries(new URLSearchParams(text)) }] : [];
  });
}

/** Return the changes of the address that add a run; none if there is no room. */
export function added(query: Query, side: Query): Query {
  const free = SLOTS.find((slot) => !query[slot]);
  return free ? { [free]: encode(side) } : {};
}

/** Return the changes of the address that take a run away; the runs after it move up. */
export function without(query: Query, side: Side): Query {
  const kept = sidesOf(query).filter(({ slot }) => slot !== side.slot);
  return Object.fromEntries(SLOTS.map((slot, index) => [slot, kept[index]?.text]));
}

/** The strategy of a run and what is not usual about it, in a few words. */
export function nameOf(side: Side, sides: readonly Side[]): string {
  const { query } = side;
  const rules = [query.entry, query.exit].filter(Boolean).join(" / ");
  const parts = [strategyName(query) === "rules" ? rules : strategyName(query)];
  for (const [name, value] of Object.entries(query)) {
    if (!value || ["strategy", "entry", "exit", "symbols"].includes(name)) continue;
    // What all runs have in common distinguishes none of them.
    if (!name.startsWith("p.") && sides.every((other) => other.query[name] === value)) continue;
    parts.push(`${name.replace("p.", "").replaceAll("_", " ")} ${value}`);
  }
  return parts.join(", ");
}

/** Return the query of a run that the gateway still knows. */
export async function queryOfId(runId: string, signal: AbortSignal): Promise<Query> {
  const started = await withStream(BRIEF, signal, async (open) => {
    const enough = new AbortController();
    const ended = AbortSignal.any([open, enough.signal]);
    try {
      for await (const { event } of runs.watchRun({ runId }, { signal: ended }))
        if (event?.event.case === "started") return event.event.value;
    } finally {
      // Only the beginning of the run is wanted.
      enough.abort();
    }
    throw new Error("the run has no beginning");
  });
  return await queryOfRun(started);
}
