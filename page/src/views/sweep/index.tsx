/** The view Sweep: ranges of parameters, and which of their combinations did best, if any did. */

import "../../charts/charts.css";
import "./sweep.css";
import { useEffect, useRef } from "preact/hooks";
import { address, change, go, type Query } from "../../address";
import { ListNotices } from "../../components/list_notices";
import { Notice } from "../../components/notice";
import { useProblems } from "../../components/use_problems";
import { strategyName } from "../../spec";
import { isStartedHere, newRunId } from "../../started";
import { cryptos, strategies } from "../../state/lists";
import { isUnderWay } from "../../state/phase";
import { cancelSweep, leaveSweep, startSweep, sweep } from "../../state/sweep";
import { sweepFieldOf, sweepOf } from "./request";
import { SweepForm } from "./sweep_form";
import { SweepResults } from "./sweep_results";

/** What is shown of a sweep: it is void for another one. */
const SHOWN = ["x", "y", "map", "crypto", "pick", "sort", "curve"];

export default function SweepView() {
  const { query } = address.value;
  const { phase, runId, error, request } = sweep.value;
  const underWay = isUnderWay(sweep.value);
  const { problems, edit, mark } = useProblems(error, (violation) =>
    request ? sweepFieldOf(violation, request) : undefined,
  );
  const results = useRef<HTMLDivElement>(null);

  useEffect(() => {
    strategies.want();
    cryptos.want();
  }, []);

  // A link, a reload or the way back names a sweep that ran: it is made again, from the cache.
  useEffect(() => {
    if ((query.run ?? query.results) === sweep.peek().runId) return;
    if (query.run === undefined && phase === "completed") leaveSweep();
    if (query.run === undefined) return;
    if (!isStartedHere(query.run)) leaveSweep();
    else if (strategies.items.value !== undefined) void start({}, { replace: true });
  }, [query.run, query.results, strategies.items.value]);

  const start = async (changes: Query, { replace }: { replace: boolean }) => {
    const query = { ...address.peek().query, ...changes };
    const asked = await sweepOf(query);
    if (mark(asked.problems) || address.peek().view !== "sweep") return;
    // On a narrow screen the results are below the form.
    if (matchMedia("(max-width: 800px)").matches) results.current?.scrollIntoView();
    const id = newRunId();
    startSweep(id, asked.request, { entry: query.entry, exit: query.exit });
    go("sweep", { ...query, run: id, results: undefined, strategy: strategyName(query) }, { replace });
  };
  const anew = (changes: Query) => {
    const shown = [...SHOWN, ...Object.keys(query).filter((name) => name.startsWith("at."))];
    return start(
      { ...Object.fromEntries(shown.map((name) => [name, undefined])), ...changes },
      // From edited fields, Back leads to the sweep that they were edited from.
      { replace: query.results !== undefined },
    );
  };

  return (
    <main id="main" class="run">
      <SweepForm
        query={query}
        problems={problems}
        underWay={underWay}
        onChange={edit}
        onSubmit={() => void anew({})}
        onCancel={() => {
          change({ run: undefined, results: undefined });
          void cancelSweep();
        }}
      />
      <div class="stack" ref={results}>
        <ListNotices nothingShown={runId === ""} />
        {query.run !== undefined && query.run !== runId && !isStartedHere(query.run) ? (
          <Notice kind="plain" sentence="A link does not start a sweep by itself.">
            <button type="button" onClick={() => void start({}, { replace: false })}>
              Run this
            </button>
          </Notice>
        ) : runId === "" ? (
          <div class="nothing quiet">
            <h1 class="unseen">Sweep</h1>
            <p>
              Give parameters several values and press Sweep: every combination is backtested on every crypto.
            </p>
          </div>
        ) : (
          <SweepResults query={query} onSweepCrypto={(symbol) => void anew({ symbols: symbol })} />
        )}
      </div>
    </main>
  );
}
