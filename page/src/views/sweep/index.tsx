/** The view Sweep: ranges of parameters, and which of their combinations did best, if any did. */

import "../../charts/charts.css";
import "./sweep.css";
import { useEffect, useRef } from "preact/hooks";
import { address, change, type Query } from "../../address";
import { newRunId } from "../../api/run_stream";
import { ErrorNotice, ImportLink, Notice } from "../../components/notice";
import { useProblems } from "../../components/use_problems";
import { strategyName } from "../../spec";
import { cryptos, listError, strategies } from "../../state/lists";
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

  // A link or a reload names a sweep that ran: it is made again, from the cache.
  useEffect(() => {
    if (query.run !== undefined && query.run !== sweep.peek().runId && strategies.items.value !== undefined)
      void start({});
    if (query.run === undefined && phase === "completed") leaveSweep();
  }, [query.run, strategies.items.value]);

  // A sweep that was started anew has another id.
  useEffect(() => {
    if (underWay && query.run !== undefined && query.run !== runId) change({ run: runId });
  }, [runId]);

  const start = async (changes: Query) => {
    const asked = await sweepOf({ ...address.peek().query, ...changes });
    if (mark(asked.problems)) return;
    // On a narrow screen the results are below the form.
    if (matchMedia("(max-width: 800px)").matches) results.current?.scrollIntoView();
    const id = newRunId();
    startSweep(id, asked.request);
    change({ ...changes, run: id, strategy: strategyName(query) }, { push: query.run === undefined });
  };
  const anew = (changes: Query) =>
    start({
      ...Object.fromEntries(
        [...SHOWN, ...Object.keys(query).filter((name) => name.startsWith("at."))].map((name) => [
          name,
          undefined,
        ]),
      ),
      ...changes,
    });

  const listFailed = listError.value;
  return (
    <main id="main" class="run">
      <SweepForm
        query={query}
        problems={problems}
        underWay={underWay}
        onChange={edit}
        onSubmit={() => void anew({})}
        onCancel={() => {
          change({ run: undefined });
          void cancelSweep();
        }}
      />
      <div class="stack" ref={results}>
        {listFailed !== undefined && !listFailed.wantsToken && runId === "" && (
          <ErrorNotice error={listFailed} />
        )}
        {cryptos.items.value?.length === 0 && (
          <Notice kind="warning" sentence="There are no candles yet." advice="Drop files on the view Data.">
            <ImportLink />
          </Notice>
        )}
        {runId === "" ? (
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
