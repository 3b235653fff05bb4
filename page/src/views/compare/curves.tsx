import { useEffect, useMemo, useState } from "preact/hooks";
import { type Explanation, explain } from "../../api/explain";
import { CacheMode } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { EquityChart } from "../../charts/equity_chart";
import { indexAt } from "../../charts/series";
import { ErrorNotice } from "../../components/notice";
import { type ComparedRun, specOfRun } from "../../state/compared";
import { loadResult } from "../crypto/load";
import { letter, strategyWords } from "./run_words";

interface Curve {
  readonly times: Float64Array;
  readonly equity: Float64Array;
  readonly drawdown: Float64Array;
}

/** The equity of one crypto in all runs, over one another. */
export function Curves({ runs, symbol }: { runs: readonly ComparedRun[]; symbol: string }) {
  const { curves, error } = useCurves(runs, symbol);
  const chart = useMemo(() => {
    const there = runs.flatMap((run, index) => {
      const curve = curves.get(run.name);
      return curve === undefined || run.started === undefined
        ? []
        : [{ name: `${letter(index)}: ${strategyWords(run.started)}`, short: letter(index), curve }];
    });
    const times = timesOf(there.map(({ curve }) => curve));
    return {
      times,
      curves: there.map(({ name, short, curve }) => ({
        name,
        short,
        equity: held(times, curve.times, curve.equity),
        drawdown: held(times, curve.times, curve.drawdown),
      })),
    };
  }, [runs, curves]);
  return (
    <section class="stack" aria-labelledby="curves">
      <h2 id="curves">Equity of {symbol}</h2>
      {error !== undefined && <ErrorNotice error={error} />}
      {chart.curves.length > 0 ? (
        <EquityChart label={`Equity of ${symbol}`} {...chart} />
      ) : (
        error === undefined && (
          <p class="quiet" role="status">
            Loading the curves …
          </p>
        )
      )}
    </section>
  );
}

/** Load the curves of a crypto, one run after the other. */
function useCurves(
  runs: readonly ComparedRun[],
  symbol: string,
): { curves: ReadonlyMap<string, Curve>; error: Explanation | undefined } {
  const [curves, setCurves] = useState<ReadonlyMap<string, Curve>>(new Map());
  const [error, setError] = useState<Explanation>();
  const names = runs.map(({ name }) => name).join(" ");
  useEffect(() => {
    const left = new AbortController();
    const load = async () => {
      const loaded = new Map<string, Curve>();
      for (const run of runs) {
        const spec = specOfRun(run);
        if (spec === undefined || run.results.of(symbol) === undefined) continue;
        const { result } = await loadResult(symbol, spec, CacheMode.DEFAULT, left.signal);
        const { openTimeS = [], equity = [], drawdown = [] } = result.equityCurve ?? {};
        loaded.set(run.name, {
          times: Float64Array.from(openTimeS, Number),
          equity: Float64Array.from(equity),
          drawdown: Float64Array.from(drawdown),
        });
        if (left.signal.aborted) return;
        setCurves(new Map(loaded));
      }
    };
    setCurves(new Map());
    setError(undefined);
    load().catch((failed) => {
      if (!left.signal.aborted) setError(explain(failed));
    });
    return () => left.abort();
  }, [names, symbol]);
  return { curves, error };
}

/** All times of the curves, ascending. */
function timesOf(curves: readonly Curve[]): Float64Array {
  const all = new Set(curves.flatMap(({ times }) => Array.from(times)));
  return Float64Array.from(all).sort();
}

/** Values at other times: each holds until the next one; NaN before the first and after the last. */
function held(times: Float64Array, own: Float64Array, values: Float64Array): Float64Array {
  const last = own.at(-1) ?? Number.NEGATIVE_INFINITY;
  return times.map((time) => (time > last ? Number.NaN : (values[indexAt(own, time)] ?? Number.NaN)));
}
