/**
 * The address of the view: `a` to `f` are the runs that are compared, each as the query of a backtest.
 *
 * Queries, and not ids of runs, so that a link means the same when the gateway has forgotten the runs.
 */

import type { Query } from "../../address";
import { backtests, runs } from "../../api/clients";
import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { queryOf } from "../../request";
import { strategyName } from "../../spec";
import { cryptos, strategies } from "../../state/lists";

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
  const set = Object.entries(side).filter((entry): entry is [string, string] => !!entry[1]);
  return free ? { [free]: new URLSearchParams(set).toString() } : {};
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
    // What all runs have in common tells none of them from the others.
    if (!name.startsWith("p.") && sides.every((other) => other.query[name] === value)) continue;
    parts.push(`${name.replace("p.", "").replaceAll("_", " ")} ${value}`);
  }
  return parts.join(", ");
}

/** Return the query of a run that the gateway still knows. */
export async function queryOfRun(runId: string, signal: AbortSignal): Promise<Query> {
  const started = await startOf(runId, signal);
  const spec = started?.request?.spec;
  if (!spec) throw new Error("the run has no beginning");
  const described = await strategies.wanted();
  const isRules = spec.strategy?.kind.case === "rules";
  const { description } = isRules ? await backtests.describeStrategy({ strategy: spec.strategy! }) : {};
  const texts = { entry: description?.entry ?? "", exit: description?.exit ?? "" };
  const all = (await cryptos.wanted()).length;
  const { symbols = [] } = started.request ?? {};
  const query = queryOf(spec, described, isRules ? texts : {});
  return symbols.length + started.leftOut.length === all ? query : { ...query, symbols: symbols.join(",") };
}

async function startOf(runId: string, signal: AbortSignal): Promise<RunStarted | undefined> {
  for await (const { event } of runs.watchRun({ runId }, { signal }))
    if (event?.event.case === "started") return event.event.value;
  return undefined;
}
