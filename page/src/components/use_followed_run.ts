import { useEffect, useRef } from "preact/hooks";
import { address, go, type Query, type View } from "../address";
import type { Violation } from "../api/explain";
import type { Problems } from "../execution";
import { strategyName } from "../spec";
import { isStartedHere, newRunId } from "../started";
import type { FollowedRun } from "../state/followed_run";
import { cryptos, strategies } from "../state/lists";
import { useProblems } from "./use_problems";

interface RunEvent {
  readonly sequence: bigint;
  readonly event: { readonly case?: string | undefined };
}

/** What a view knows of its runs. */
interface RunKind<Started, Request> {
  readonly view: View;
  /** What starts a run with the fields of an address, or what is wrong with them. */
  requestOf(query: Query): Promise<{ request: Request; problems: Problems }>;
  /** The fields of a run that is watched by its id alone; undefined if its first event does not name them. */
  queryOf(started: Started): Promise<Query | undefined>;
  /** The field of the form that a violation is about. */
  fieldOf(violation: Violation): string | undefined;
  /** The names of an address that say how a run is shown, and not what it is. */
  readonly shownBy: readonly string[];
}

/**
 * Let a view follow the run that its address names, and return what its form needs: `problems` by field, `edit`,
 * `start`, and `results`, the ref of the element that shows the run.
 */
export function useFollowedRun<
  Started,
  Content extends { readonly started: Started | undefined },
  Request,
  Event extends RunEvent,
>(followed: FollowedRun<Content, Request, Event>, kind: RunKind<Started, Request>) {
  const { query } = address.value;
  const { error, started } = followed.value;
  const { problems, edit, mark } = useProblems(error, kind.fieldOf);
  const results = useRef<HTMLDivElement>(null);
  const scrolls = useRef(false);

  useEffect(() => {
    strategies.want();
    cryptos.want();
  }, []);

  /** What starts the run that is shown anew; undefined if another tab has started it, or its fields are unknown. */
  const restarting = async () => {
    const { runId, query } = followed.peek();
    if (query === undefined || !isStartedHere(runId)) return undefined;
    const { request, problems } = await kind.requestOf(query);
    return Object.keys(problems).length === 0 ? request : undefined;
  };

  // A link, a reload or the way back names the run that is shown.
  useEffect(() => {
    const wanted = query.run ?? query.results ?? "";
    if (wanted === followed.peek().runId) return;
    if (wanted === "") followed.leave();
    else followed.show(wanted, fieldsOfRun(query), restarting, true);
  }, [query.run, query.results]);

  // A run that is watched by its id alone says itself what it is.
  useEffect(() => {
    if (started !== undefined && followed.peek().query === undefined) void describe(followed, kind, started);
  }, [started]);

  // On a narrow screen the results are below the form.
  useEffect(() => {
    if (!scrolls.current || started === undefined) return;
    scrolls.current = false;
    if (matchMedia("(max-width: 800px)").matches) results.current?.scrollIntoView();
  }, [started]);

  const start = async () => {
    const { query } = address.peek();
    const { request, problems } = await kind.requestOf(query);
    if (mark(problems) || address.peek().view !== kind.view) return;
    scrolls.current = true;
    const id = newRunId();
    const own = { ...query, run: id, results: undefined, strategy: strategyName(query) };
    followed.show(id, own, async () => request, false);
    // With the frame that shows the run, not before its request is sent. From edited fields, Back leads to the run
    // that they were edited from.
    requestAnimationFrame(() => go(kind.view, own, { replace: query.results !== undefined }));
  };

  return { problems, edit, results, start: () => void start() };
}

/** Return the fields of the run that an address names; undefined if they were edited since, or are not there. */
function fieldsOfRun(query: Query): Query | undefined {
  return query.run === undefined || query.strategy === undefined ? undefined : query;
}

/** Fill the form with what a run is. */
async function describe<Started, Content extends object, Request, Event extends RunEvent>(
  followed: FollowedRun<Content, Request, Event>,
  { view, queryOf, shownBy }: RunKind<Started, Request>,
  started: Started,
): Promise<void> {
  const { runId } = followed.peek();
  const own = await queryOf(started).catch(() => undefined);
  if (own === undefined || followed.peek().runId !== runId) return;
  followed.describe(own);
  const { view: seen, query } = address.peek();
  // Fields that were edited meanwhile are another run's.
  if (seen !== view || query.run !== runId) return;
  const shown = Object.fromEntries(shownBy.map((name) => [name, query[name]]));
  go(view, { ...own, run: runId, ...shown }, { replace: true });
}
