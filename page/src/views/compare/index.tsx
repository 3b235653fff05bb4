/** Two to six runs side by side: figures, the equity of one crypto, and what differs from crypto to crypto. */

import { useEffect, useMemo, useRef } from "preact/hooks";
import { address, change, encode, href, type Query } from "../../address";
import { ErrorNotice, Notice } from "../../components/notice";
import { counted } from "../../format";
import { METRICS, type MetricInfo, metricMeant, metricOf } from "../../metrics";
import { isStartedHere, noteStarted } from "../../started";
import "../../charts/charts.css";
import { added, MOST_SIDES, nameOf, type Side, sidesOf, without } from "./address";
import "./compare.css";
import { Curves, Overlaid } from "./curves";
import { DifferencesTable } from "./differences_table";
import { FiguresTable } from "./figures_table";
import { PasteRun } from "./paste_run";
import { RunPicker } from "./run_picker";
import { Standings } from "./standings";
import { mean, median, valuesOf } from "./statistics";
import { type SideResults, useSides } from "./use_sides";

const OVER = { median, mean };

export default function CompareView() {
  const { query } = address.value;
  // The curves need not be loaded anew when only the crypto or the order changes.
  const key = JSON.stringify(sidesOf(query));
  const sides = useMemo(() => sidesOf(query), [key]);
  const asked = sides.filter(({ text }) => isStartedHere(text));
  const results = useSides(asked);
  const main = useRef<HTMLElement>(null);
  /** What gets the focus once the sides have changed: what had it may be gone. */
  const next = useRef("");
  useEffect(() => {
    if (next.current !== "") main.current?.querySelector<HTMLElement>(next.current)?.focus();
    next.current = "";
  }, [sides]);
  const add = (side: Query) => {
    noteStarted(encode(side));
    const changes = added(address.peek().query, side);
    const [slot] = Object.keys(changes);
    if (slot === undefined) return;
    next.current = `[data-side="${slot}"] a`;
    change(changes);
  };
  const remove = (side: Side, place: number) => {
    // The side after it moves up to its place; after the last one, the focus goes to the one before.
    const neighbour = Math.min(place, sides.length - 2);
    next.current =
      neighbour < 0
        ? ".compare-add :is(select, input):enabled"
        : `.compare-sides li:nth-child(${neighbour + 1}) button`;
    change(without(query, side));
  };
  const shown = useMemo(
    () =>
      sides.flatMap((side) => {
        const own = results.get(side.text);
        return own?.summary
          ? [{ slot: side.slot, name: `${side.slot.toUpperCase()}: ${nameOf(side, sides)}`, results: own }]
          : [];
      }),
    [sides, results],
  );
  return (
    <main id="main" class="stack compare" ref={main}>
      <h1>Compare</h1>
      {sides.length < 2 && (
        <p class="quiet">
          Add two to six runs: their figures, the equity of each crypto and their differences show side by
          side.
        </p>
      )}
      <ul class="compare-sides">
        {sides.map((side, place) => {
          const name = nameOf(side, sides);
          return (
            <li key={side.slot} class="row" data-side={side.slot}>
              <span class={`side-mark side-${side.slot}`} />
              <strong>{side.slot.toUpperCase()}</strong>
              <a href={href("run", side.query)}>{name}</a>
              {asked.includes(side) && <State results={results.get(side.text)} />}
              <button
                type="button"
                class="link"
                aria-label={`Remove ${name}`}
                onClick={() => remove(side, place)}
              >
                Remove
              </button>
            </li>
          );
        })}
      </ul>
      {asked.length < sides.length && (
        <Notice kind="plain" sentence="A link does not start runs by itself.">
          <button type="button" onClick={() => noteStarted(...sides.map(({ text }) => text))}>
            Run this
          </button>
        </Notice>
      )}
      {sides.length < MOST_SIDES ? (
        <div class="compare-add">
          <RunPicker version={shown.length} onAdd={add} />
          <PasteRun onAdd={add} />
        </div>
      ) : (
        <p class="quiet">Six runs are the most. Remove one to add another.</p>
      )}
      {sides.map(({ slot, text }) => {
        const error = results.get(text)?.error;
        return error && !error.wantsToken && <ErrorNotice key={slot} error={error} />;
      })}
      {shown.length > 1 && <Comparison shown={shown} />}
    </main>
  );
}

type Shown = readonly { readonly slot: string; readonly name: string; readonly results: SideResults }[];

function Comparison({ shown }: { readonly shown: Shown }) {
  const { query } = address.value;
  const over = query.over === "mean" ? "mean" : "median";
  const metric = metricMeant(query.metric ?? "") ?? metricOf("total_return");
  const { symbol } = query;
  const curveSides = useMemo(
    () => shown.flatMap(({ slot, name, results: { spec } }) => (spec ? [{ slot, name, spec }] : [])),
    [shown],
  );
  const means = useMemo(() => shown.flatMap(({ results: { mean } }) => mean ?? []), [shown]);
  const common = [...shown[0]!.results.metrics.keys()].filter((one) =>
    shown.every(({ results }) => results.metrics.has(one)),
  );
  const differing = shown.some(({ results }) => results.metrics.size > common.length);
  const compared = shown.map(({ slot, name, results }) => ({
    slot,
    name,
    figureOf: (of: MetricInfo) =>
      symbol ? results.metrics.get(symbol)?.[of.field] : OVER[over](valuesOf(common, of, results)),
  }));
  return (
    <>
      {differing && (
        <Notice
          kind="warning"
          sentence={`Figures are those of the ${counted(common.length, "crypto")} that all runs have.`}
        />
      )}
      <div class="compare-columns">
        <section class="stack" aria-labelledby="compare-figures">
          <h2 id="compare-figures">
            {symbol ? `Figures of ${symbol}` : `Figures: ${over} over the cryptos`}
          </h2>
          <div class="row">
            {symbol ? (
              <button type="button" onClick={() => change({ symbol: undefined })}>
                Show all cryptos
              </button>
            ) : (
              <>
                <label for="compare-over">Over the cryptos</label>
                <select
                  id="compare-over"
                  value={over}
                  onChange={(event) => change({ over: event.currentTarget.value })}
                >
                  {Object.keys(OVER).map((one) => (
                    <option key={one} value={one}>
                      {one}
                    </option>
                  ))}
                </select>
              </>
            )}
          </div>
          <FiguresTable compared={compared} />
        </section>
        <section class="stack" aria-labelledby="compare-curves">
          <h2 id="compare-curves">{symbol ? `Equity of ${symbol}` : "Mean equity of the cryptos"}</h2>
          {symbol ? (
            <Curves symbol={symbol} sides={curveSides} />
          ) : (
            <>
              <p class="quiet">
                Each crypto begins with the same capital, and holds its last value where it has no candle.
              </p>
              <Overlaid label="Mean equity of the cryptos in the runs" curves={means} sides={shown} />
            </>
          )}
        </section>
      </div>
      <section class="stack" aria-labelledby="compare-cryptos">
        <h2 id="compare-cryptos">From crypto to crypto</h2>
        <p class="quiet">Open a crypto to see its equity in all runs.</p>
        <div class="row">
          <label for="compare-metric">Metric</label>
          <select
            id="compare-metric"
            value={metric.name}
            onChange={(event) => change({ metric: event.currentTarget.value })}
          >
            {METRICS.map(({ name, label }) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </div>
        <Standings sides={shown} metric={metric} />
        <div class="compare-cryptos">
          <DifferencesTable
            sides={shown}
            metric={metric}
            selected={symbol}
            onSelect={(chosen) => change({ symbol: chosen })}
            sort={query.sort}
            onSort={(sort) => change({ sort })}
          />
        </div>
      </section>
    </>
  );
}

function State({ results }: { readonly results: SideResults | undefined }) {
  if (results?.summary) return <span class="quiet">{counted(results.metrics.size, "crypto")}</span>;
  return results?.error ? null : (
    <span class="quiet" role="status">
      running …
    </span>
  );
}
