/** The view Compare: two to six runs side by side. */

import "../../charts/charts.css";
import "./compare.css";
import { useEffect, useMemo } from "preact/hooks";
import { address, change, href, type Query } from "../../address";
import { backtests } from "../../api/clients";
import { ErrorNotice, Notice } from "../../components/notice";
import { ProgressBar } from "../../components/progress";
import { queryOf } from "../../request";
import { type ComparedRun, compare, compared, loadAgain, nameOf, queryNamed } from "../../state/compared";
import { cryptos, strategies } from "../../state/lists";
import { AddRun } from "./add_run";
import { Curves } from "./curves";
import { DifferencesTable } from "./differences_table";
import { MetricsTable } from "./metrics_table";
import { candleWords, letter, strategyWords } from "./run_words";

const MOST_RUNS = 6;

/** The names of the query that hold a run each. */
const PLACES = Array.from({ length: MOST_RUNS }, (_, index) => `r${index + 1}`);

export default function CompareView() {
  const { query } = address.value;
  const names = useNames(query);
  useEffect(() => {
    strategies.want();
    cryptos.want();
  }, []);
  useEffect(() => compare(names), [names]);
  const known = compared.value;
  const all = useMemo(() => names.flatMap((name) => known.get(name) ?? []), [names, known]);
  useLastingNames(all, names);
  const loaded = useMemo(() => all.filter(({ phase }) => phase === "loaded"), [all]);
  const isComplete = loaded.length === all.length && loaded.length > 1;
  const symbol = query.crypto ?? (isComplete ? mostDifferent(loaded) : undefined);
  const put = (changed: readonly string[]) =>
    change(Object.fromEntries(PLACES.map((place, index) => [place, changed[index]])));
  return (
    <main id="main" class="stack compare">
      <h1>Compare</h1>
      {names.length < 2 && (
        <p class="quiet">
          {names.length === 0
            ? "Add two to six runs: they are shown side by side."
            : "Add another run to compare it with."}
        </p>
      )}
      {names.length > 0 && (
        <ol class="compare-runs">
          {all.map((run, index) => (
            <RunCard
              key={run.name}
              run={run}
              index={index}
              onRemove={() => put(names.filter((name) => name !== run.name))}
            />
          ))}
        </ol>
      )}
      {names.length < MOST_RUNS && (
        <AddRun
          taken={all.map(({ query }) => query.run)}
          onAdd={(text) => {
            const name = nameOf(queryNamed(text));
            if (!names.includes(name)) put([...names, name]);
          }}
        />
      )}
      {isComplete && <Unlike runs={loaded} />}
      {isComplete && (
        <div class="compare-tables">
          <MetricsTable runs={loaded} />
          <DifferencesTable query={query} runs={loaded} symbol={query.crypto} />
        </div>
      )}
      {isComplete && symbol !== undefined && <Curves runs={loaded} symbol={symbol} />}
    </main>
  );
}

function RunCard({ run, index, onRemove }: { run: ComparedRun; index: number; onRemove: () => void }) {
  const { name, query, phase, started, progress, error, problem } = run;
  const noun = `the run ${letter(index)}`;
  return (
    <li class="panel">
      <div class="row">
        <strong class="compare-letter">{letter(index)}</strong>
        <a href={href("run", query)}>
          {started === undefined ? (query.run ?? name) : strategyWords(started)}
        </a>
        {started !== undefined && <span class="quiet">{candleWords(started)}</span>}
        <span class="spring" />
        <button type="button" aria-label={`Remove ${noun}`} onClick={onRemove}>
          ×
        </button>
      </div>
      {phase === "loading" && <ProgressBar progress={progress} elapsedMs={0} underWay={false} noun={noun} />}
      {problem !== undefined && <Notice kind="error" sentence={`Its address is no backtest. ${problem}`} />}
      {error !== undefined && problem === undefined && !error.wantsToken && (
        <ErrorNotice error={error}>
          {phase === "failed" && (
            <button type="button" onClick={() => loadAgain(name)}>
              Try again
            </button>
          )}
        </ErrorNotice>
      )}
    </li>
  );
}

/** Says where runs cannot be compared as they stand. */
function Unlike({ runs }: { runs: readonly ComparedRun[] }) {
  const specs = runs.flatMap(({ started }) => started?.request?.spec ?? []);
  const windows = new Set(specs.map(({ startTime, endTime }) => `${startTime?.seconds} ${endTime?.seconds}`));
  const symbols = new Set(runs.map(({ started }) => [...(started?.request?.symbols ?? [])].sort().join()));
  const unlike = [...(windows.size > 1 ? ["windows"] : []), ...(symbols.size > 1 ? ["cryptos"] : [])];
  if (unlike.length === 0) return null;
  return (
    <Notice
      kind="warning"
      sentence={`The runs have different ${unlike.join(" and ")}.`}
      advice="Their medians are of different things; the table by crypto compares what they have in common."
    />
  );
}

/** The runs of the address; the same array as long as they are the same. */
function useNames(query: Query): readonly string[] {
  const names = PLACES.flatMap((place) => query[place] ?? []);
  return useMemo(() => [...new Set(names)], [names.join("\n")]);
}

/** Let the address say what a run is that it names by its id alone: the gateway forgets ids. */
function useLastingNames(all: readonly ComparedRun[], names: readonly string[]): void {
  useEffect(() => {
    const short = all.find(({ phase, query }) => phase === "loaded" && query.strategy === undefined);
    if (short === undefined) return;
    void lastingName(short).then((name) => {
      const { query } = address.peek();
      const place = PLACES.find((one) => query[one] === short.name);
      if (address.peek().view !== "compare" || place === undefined) return;
      change({ [place]: names.includes(name) ? undefined : name });
    });
  }, [all, names]);
}

async function lastingName({ query, started }: ComparedRun): Promise<string> {
  const request = started?.request;
  const strategy = request?.spec?.strategy;
  const rules =
    strategy?.kind.case === "rules"
      ? await backtests.describeStrategy({ strategy }).catch(() => undefined)
      : undefined;
  const { entry = "", exit = "" } = rules?.description ?? {};
  const everything = (await cryptos.wanted()).length;
  const all = (request?.symbols.length ?? 0) + (started?.leftOut.length ?? 0) === everything;
  return nameOf({
    ...(request?.spec && queryOf(request.spec, await strategies.wanted(), { entry, exit })),
    symbols: all ? undefined : request?.symbols.join(","),
    run: query.run,
  });
}

/** The crypto whose total returns are furthest apart. */
function mostDifferent(runs: readonly ComparedRun[]): string | undefined {
  let widest = -1;
  let found: string | undefined;
  for (const { symbol } of runs[0]?.results.all ?? []) {
    const returns = runs.map(({ results }) => results.of(symbol)?.metrics?.totalReturn ?? Number.NaN);
    const width = Math.max(...returns) - Math.min(...returns);
    if (width > widest) {
      widest = width;
      found = symbol;
    }
  }
  return found;
}
