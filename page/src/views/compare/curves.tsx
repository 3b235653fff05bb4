import { useEffect, useMemo, useState } from "preact/hooks";
import { type Explanation, explain } from "../../api/explain";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { EquityCurve } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { CacheMode } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { EquityChart } from "../../charts/equity_chart";
import { aligned } from "../../charts/series";
import { ErrorNotice } from "../../components/notice";
import { loadResult } from "../crypto/load";

export interface CurveSide {
  readonly slot: string;
  readonly name: string;
  readonly spec: BacktestSpec;
}

/** The equity curves of one crypto in all runs, over one another. */
export function Curves({ symbol, sides }: { readonly symbol: string; readonly sides: readonly CurveSide[] }) {
  const [curves, setCurves] = useState<readonly EquityCurve[]>();
  const [error, setError] = useState<Explanation>();
  useEffect(() => {
    const abort = new AbortController();
    setCurves(undefined);
    setError(undefined);
    const loaded = sides.map(({ spec }) => loadResult(symbol, spec, CacheMode.DEFAULT, abort.signal));
    Promise.all(loaded).then(
      (results) => setCurves(results.flatMap(({ result }) => result.equityCurve ?? [])),
      (thrown) => {
        if (!abort.signal.aborted) setError(explain(thrown));
      },
    );
    return () => abort.abort();
  }, [symbol, sides]);
  const drawn = useMemo(() => curves && overlaid(curves, sides), [curves, sides]);
  if (error) return <ErrorNotice error={error} />;
  if (!drawn)
    return (
      <p class="quiet" role="status">
        Loading the curves …
      </p>
    );
  return <EquityChart label={`Equity of ${symbol} in the runs`} times={drawn.times} curves={drawn.curves} />;
}

function overlaid(curves: readonly EquityCurve[], sides: readonly CurveSide[]) {
  const own = curves.map(({ openTimeS }) => Float64Array.from(openTimeS, Number));
  const times = Float64Array.from(new Set(own.flatMap((column) => [...column]))).sort();
  return {
    times,
    curves: curves.map(({ equity, drawdown }, index) => ({
      name: sides[index]?.name ?? "",
      short: sides[index]?.slot.toUpperCase() ?? "",
      equity: aligned(times, own[index] as Float64Array, equity),
      drawdown: aligned(times, own[index] as Float64Array, drawdown),
    })),
  };
}
