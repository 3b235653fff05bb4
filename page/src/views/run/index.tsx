/** The view Run: a form, and the results of the run as they come. */

import "./run.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { address, change } from "../../address";
import { backtests } from "../../api/clients";
import { sentenceOf } from "../../api/explain";
import { newRunId } from "../../api/run_stream";
import type { RunBacktestsRequest } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { ErrorNotice, Notice } from "../../components/notice";
import type { Problems } from "../../execution";
import { queryOf, requestOf } from "../../request";
import { fieldOf, strategyName } from "../../spec";
import { cryptos, listError, strategies } from "../../state/lists";
import { cancelRun, leaveRun, run, showRun } from "../../state/run";
import { RunForm } from "./run_form";
import { RunResults } from "./run_results";

export default function RunView() {
  const { query } = address.value;
  const { phase, runId, error, started } = run.value;
  const [problems, setProblems] = useState<Problems>({});
  const underWay = phase === "running" || phase === "waiting";
  const results = useRef<HTMLDivElement>(null);
  const scrolls = useRef(false);

  useEffect(() => {
    strategies.want();
    cryptos.want();
  }, []);

  // A link, a reload or the way back names the run that is shown.
  useEffect(() => {
    const wanted = query.run ?? "";
    if (wanted === run.peek().runId) return;
    if (wanted === "") leaveRun();
    else showRun(wanted, () => restarting(), true);
  }, [query.run]);

  // A run that is watched by its id alone says itself what it is.
  useEffect(() => {
    const request = started?.request;
    if (request !== undefined && address.peek().query.strategy === undefined)
      void describe(request, started!.leftOut.length);
  }, [started]);

  // On a narrow screen the results are below the form.
  useEffect(() => {
    if (!scrolls.current || started === undefined) return;
    scrolls.current = false;
    if (matchMedia("(max-width: 800px)").matches) results.current?.scrollIntoView();
  }, [started]);

  // Fields that the gateway refuses are marked, until they are changed.
  useEffect(() => {
    const refused: Record<string, string> = {};
    for (const violation of error?.violations ?? []) {
      const name = fieldOf(violation);
      if (name !== undefined) refused[name] ??= sentenceOf(violation.description);
    }
    setProblems(refused);
  }, [error]);

  const start = async () => {
    const asked = await requestOf(address.peek().query);
    setProblems(asked.problems);
    const first = Object.keys(asked.problems)[0];
    if (first !== undefined) {
      document
        .querySelector<HTMLElement>(`[data-field="${first}"] input, [data-field="${first}"] textarea`)
        ?.focus();
      return;
    }
    scrolls.current = true;
    const id = newRunId();
    showRun(id, async () => asked.request, false);
    change({ run: id, strategy: strategyName(query) }, { push: true });
  };

  const listFailed = listError.value;
  return (
    <main id="main" class="run">
      <RunForm
        query={query}
        problems={problems}
        underWay={underWay}
        onChange={(changes) => {
          setProblems((before) => without(before, Object.keys(changes)));
          change(changes);
        }}
        onRun={() => void start()}
        onCancel={() => void cancelRun()}
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
            <a class="button" href="/data">
              Import candles
            </a>
          </Notice>
        )}
        {runId === "" ? <Nothing /> : <RunResults key={runId} query={query} started={started} />}
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

/** What starts the run of the address anew; undefined if the address does not say what it was. */
async function restarting() {
  const { query } = address.peek();
  if (query.strategy === undefined) return undefined;
  const { request, problems } = await requestOf(query);
  return Object.keys(problems).length === 0 ? request : undefined;
}

/** Fill the form with the request of a run. */
async function describe(request: RunBacktestsRequest, leftOutCount: number): Promise<void> {
  const { spec, symbols, exclude } = request;
  if (spec === undefined) return;
  const described = await strategies.wanted();
  const all = symbols.length + leftOutCount === (await cryptos.wanted()).length;
  const { strategy } = spec;
  const rules =
    strategy?.kind.case === "rules"
      ? await backtests.describeStrategy({ strategy }).catch(() => undefined)
      : undefined;
  const texts = { entry: rules?.description?.entry ?? "", exit: rules?.description?.exit ?? "" };
  if (address.peek().query.strategy !== undefined) return;
  change({
    ...queryOf(spec, described, texts),
    symbols: all ? undefined : symbols.join(","),
    exclude: exclude.join(","),
  });
}

function without(problems: Problems, names: readonly string[]): Problems {
  return Object.fromEntries(Object.entries(problems).filter(([name]) => !names.includes(name)));
}
