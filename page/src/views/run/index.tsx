/** The view Run: a form, and the results of the run as they come. */

import "./run.css";
import { useEffect, useRef } from "preact/hooks";
import { address, go, type Query } from "../../address";
import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { ErrorNotice, ImportLink, Notice } from "../../components/notice";
import { useProblems } from "../../components/use_problems";
import { queryOfRun, requestOf } from "../../request";
import { fieldOf, strategyName } from "../../spec";
import { isStartedHere, newRunId } from "../../started";
import { cryptos, listError, strategies } from "../../state/lists";
import { isUnderWay } from "../../state/phase";
import { run } from "../../state/run";
import { RunForm } from "./run_form";
import { RunResults } from "./run_results";

export default function RunView() {
  const { query } = address.value;
  const { runId, error, started } = run.value;
  const { problems, edit, mark } = useProblems(error, fieldOf);
  const results = useRef<HTMLDivElement>(null);
  const scrolls = useRef(false);

  useEffect(() => {
    strategies.want();
    cryptos.want();
  }, []);

  // A link, a reload or the way back names the run that is shown.
  useEffect(() => {
    const wanted = query.run ?? query.results ?? "";
    if (wanted === run.peek().runId) return;
    if (wanted === "") run.leave();
    else run.show(wanted, fieldsOfRun(query), restarting, true);
  }, [query.run, query.results]);

  // A run that is watched by its id alone says itself what it is.
  useEffect(() => {
    if (started?.request?.spec !== undefined && run.peek().query === undefined) void describe(started);
  }, [started]);

  // On a narrow screen the results are below the form.
  useEffect(() => {
    if (!scrolls.current || started === undefined) return;
    scrolls.current = false;
    if (matchMedia("(max-width: 800px)").matches) results.current?.scrollIntoView();
  }, [started]);

  const start = async () => {
    const { query } = address.peek();
    const asked = await requestOf(query);
    if (mark(asked.problems) || address.peek().view !== "run") return;
    scrolls.current = true;
    const id = newRunId();
    const own = { ...query, run: id, results: undefined, strategy: strategyName(query) };
    run.show(id, own, async () => asked.request, false);
    // With the frame that shows the run, not before its request is sent. From edited fields, Back leads to the run
    // that they were edited from.
    requestAnimationFrame(() => go("run", own, { replace: query.results !== undefined }));
  };

  const listFailed = listError.value;
  return (
    <main id="main" class="run">
      <RunForm
        query={query}
        problems={problems}
        underWay={isUnderWay(run.value)}
        onChange={edit}
        onSubmit={() => void start()}
        onCancel={() => void run.cancel()}
      />
      <div class="stack" ref={results}>
        {listFailed !== undefined && !listFailed.wantsToken && runId === "" && (
          <ErrorNotice error={listFailed} />
        )}
        {cryptos.items.value?.length === 0 && (
          <Notice
            kind="warning"
            sentence="There are no candles yet."
            advice="Drop files on the view Data, use the command `backcast import FOLDER`, or try the made-up market of `backcast sample`."
          >
            <ImportLink />
          </Notice>
        )}
        {runId === "" ? <Nothing /> : <RunResults key={runId} query={query} onRun={() => void start()} />}
      </div>
    </main>
  );
}

function Nothing() {
  return (
    <div class="nothing quiet">
      <p>Choose a strategy and press Run: it is backtested on every crypto, and results show as they come.</p>
    </div>
  );
}

/** Return the fields of the run that an address names; undefined if they were edited since, or are not there. */
function fieldsOfRun(query: Query): Query | undefined {
  return query.run === undefined || query.strategy === undefined ? undefined : query;
}

/** What starts the run that is shown anew; undefined if another tab has started it, or nothing says what it was. */
async function restarting() {
  const { runId, query } = run.peek();
  if (query === undefined || !isStartedHere(runId)) return undefined;
  const { request, problems } = await requestOf(query);
  return Object.keys(problems).length === 0 ? request : undefined;
}

/** Fill the form with what a run is. */
async function describe(started: RunStarted): Promise<void> {
  const { runId } = run.peek();
  const query = await queryOfRun(started).catch(() => undefined);
  if (query === undefined || run.peek().runId !== runId) return;
  const own = { ...query, exclude: started.request?.exclude.join(",") };
  run.describe(own);
  const { view, query: shown } = address.peek();
  // Fields that were edited meanwhile are another backtest's.
  if (view !== "run" || shown.run !== runId) return;
  go("run", { ...own, run: runId, sort: shown.sort, filter: shown.filter }, { replace: true });
}
