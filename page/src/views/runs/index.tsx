/** The view Runs: what is under way and what has ended lately, of everybody whom one may see. */

import "./runs.css";
import { useEffect, useState } from "preact/hooks";
import { href, type View } from "../../address";
import { knownRuns } from "../../api/clients";
import { type Explanation, explain } from "../../api/explain";
import { cancelAtGateway } from "../../api/run_stream";
import { type Run, RunState } from "../../api/stubs/backcast/gateway/v1/run_service_pb";
import { tokenWanted } from "../../api/transport";
import { Cancelling, ErrorNotice } from "../../components/notice";
import { count, counted, lasting, millisecondsOf, secondsOf, time } from "../../format";

const EVERY_MS = 1000;
const MOST_SHOWN = 200;

const STATES: Readonly<Record<RunState, string>> = {
  [RunState.UNSPECIFIED]: "unknown",
  [RunState.RUNNING]: "running",
  [RunState.PAUSED]: "paused",
  [RunState.COMPLETED]: "completed",
  [RunState.FAILED]: "failed",
  [RunState.CANCELLED]: "cancelled",
};

export default function RunsView() {
  const [listed, setListed] = useState<readonly Run[]>();
  const [error, setError] = useState<Explanation>();
  // It stays while the list is refreshed, which has errors of its own.
  const [notCancelled, setNotCancelled] = useState<{ runId: string; error: Explanation }>();
  const refresh = useRefreshed(setListed, setError);

  const cancel = async (runId: string) => {
    setNotCancelled(undefined);
    const done = await cancelAtGateway(
      () => runId,
      (error) => setNotCancelled({ runId, error }),
    );
    if (done) setNotCancelled((said) => (said?.runId === runId ? undefined : said));
    refresh();
  };

  const newestFirst = listed === undefined ? [] : [...listed].reverse();
  const active = newestFirst.filter(({ state }) => state === RunState.RUNNING).length;
  return (
    <main id="main" class="stack">
      <div class="row">
        <h1>Runs</h1>
        {listed !== undefined && (
          <span class="quiet">
            {counted(active, "run")} under way, {count(listed.length - active)} paused or ended
          </span>
        )}
      </div>
      {error !== undefined && !error.wantsToken && <ErrorNotice error={error} />}
      {notCancelled && <Cancelling what={`The run ${notCancelled.runId}`} error={notCancelled.error} />}
      {listed?.length === 0 && (
        <p class="quiet">
          There is no run. Runs that were started on the view Run, by a command or by a program show here.
        </p>
      )}
      {newestFirst.length > 0 && (
        <div class="scrolls">
          <table class="runs">
            <thead>
              <tr>
                <th scope="col">State</th>
                <th scope="col" class="left">
                  Strategy
                </th>
                <th scope="col" class="left wide">
                  What
                </th>
                <th scope="col" class="left">
                  Progress
                </th>
                <th scope="col" class="wide">
                  Elapsed
                </th>
                <th scope="col" class="left wide">
                  Started (UTC)
                </th>
                <th scope="col" class="left wide">
                  By
                </th>
                <th scope="col" class="wide">
                  Watchers
                </th>
                <th scope="col" class="left">
                  <span class="unseen">What to do</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {newestFirst.slice(0, MOST_SHOWN).map((run) => (
                <Row key={run.runId} run={run} onCancel={() => void cancel(run.runId)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {newestFirst.length > MOST_SHOWN && (
        <p class="quiet">The newest {MOST_SHOWN} are shown; `backcast runs` lists all.</p>
      )}
    </main>
  );
}

const WHAT: Readonly<Record<string, string>> = {
  RunBacktests: "run",
  RunBacktest: "one crypto",
  SweepBacktests: "sweep",
  StreamSeries: "series",
  RunPortfolio: "portfolio",
};

/** The views that watch runs, by the methods that start these. */
const WATCHED_IN: Readonly<Record<string, View>> = { RunBacktests: "run", RunPortfolio: "portfolio" };

function Row({ run, onCancel }: { run: Run; onCancel: () => void }) {
  const { runId, state, doneBacktestCount: done, backtestCount: total } = run;
  const watchedIn = WATCHED_IN[run.method];
  const mayGoOn = state === RunState.RUNNING || state === RunState.PAUSED;
  return (
    <tr>
      <td class={`state-${STATES[state]}`}>{STATES[state]}</td>
      <td class="left">{run.strategy}</td>
      <td class="left wide">{WHAT[run.method] ?? run.method}</td>
      <td class="left">
        <span class="runs-progress">
          <progress max={Math.max(total, 1)} value={done} aria-label={`Progress of ${runId}`} />
          {count(done)} of {count(total)}
        </span>
      </td>
      <td class="wide">{run.elapsed === undefined ? "" : lasting(millisecondsOf(run.elapsed))}</td>
      <td class="left wide">{run.startTime === undefined ? "" : time(secondsOf(run.startTime))}</td>
      <td class="left wide">{run.client}</td>
      <td class="wide">{count(run.watcherCount)}</td>
      <td class="left">
        <span class="runs-actions">
          {watchedIn !== undefined && (
            <a class="button" href={href(watchedIn, { run: runId })} aria-label={`Watch the run ${runId}`}>
              Watch
            </a>
          )}
          {mayGoOn && (
            <button type="button" onClick={onCancel} aria-label={`Cancel the run ${runId}`}>
              Cancel
            </button>
          )}
        </span>
      </td>
    </tr>
  );
}

/** List the runs again and again while the view is shown; return what lists them now. */
function useRefreshed(
  tell: (runs: readonly Run[]) => void,
  fail: (error: Explanation | undefined) => void,
): () => void {
  const [again, setAgain] = useState(0);
  // The list is asked for anew when `again` changes.
  useEffect(() => {
    const left = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const list = async () => {
      if (!document.hidden) {
        try {
          tell(await knownRuns(left.signal));
          fail(undefined);
        } catch (failed) {
          if (left.signal.aborted) return;
          const why = explain(failed);
          if (why.wantsToken) tokenWanted.value = true;
          fail(why);
        }
      }
      if (!left.signal.aborted) timer = setTimeout(() => void list(), EVERY_MS);
    };
    void list();
    return () => {
      left.abort();
      clearTimeout(timer);
    };
  }, [again, tell, fail]);
  return () => setAgain((times) => times + 1);
}
