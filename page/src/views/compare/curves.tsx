import { useMemo } from "preact/hooks";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { EquityCurve } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { CacheMode } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { EquityChart } from "../../charts/equity_chart";
import { aligned } from "../../charts/series";
import { ErrorNotice } from "../../components/notice";
import { useLoaded } from "../../components/use_loaded";
import { loadResult } from "../crypto/load";
import type { Curve } from "./mean_curve";

/** A curve of a run. */
export interface NamedSide {
  readonly slot: string;
  readonly name: string;
}

export interface CurveSide extends NamedSide {
  readonly spec: BacktestSpec;
}

/** The equity curves of one crypto in all runs, over one another. */
export function Curves({ symbol, sides }: { readonly symbol: string; readonly sides: readonly CurveSide[] }) {
  const { value: curves, error } = useLoaded(
    async (signal) => {
      const loaded = sides.map(({ spec }) => loadResult(symbol, spec, CacheMode.DEFAULT, signal));
      return (await Promise.all(loaded)).map(({ result }) => curveOf(result.equityCurve));
    },
    [symbol, sides],
  );
  if (error && !error.wantsToken) return <ErrorNotice error={error} />;
  if (!curves)
    return (
      <p class="quiet" role="status">
        Loading the curves …
      </p>
    );
  return <Overlaid label={`Equity of ${symbol} in the runs`} curves={curves} sides={sides} />;
}

interface OverlaidProps {
  readonly label: string;
  readonly curves: readonly Curve[];
  /** One for each curve. */
  readonly sides: readonly NamedSide[];
}

/** Curves over one another. */
export function Overlaid({ label, curves, sides }: OverlaidProps) {
  const drawn = useMemo(() => overlaid(curves, sides), [curves, sides]);
  return <EquityChart label={label} times={drawn.times} curves={drawn.curves} />;
}

function curveOf(curve: EquityCurve | undefined): Curve {
  return {
    times: Float64Array.from(curve?.openTimeS ?? [], Number),
    equity: Float64Array.from(curve?.equity ?? []),
    drawdown: Float64Array.from(curve?.drawdown ?? []),
  };
}

function overlaid(curves: readonly Curve[], sides: readonly NamedSide[]) {
  const times = Float64Array.from(new Set(curves.flatMap((curve) => [...curve.times]))).sort();
  return {
    times,
    curves: curves.map((curve, index) => ({
      name: sides[index]?.name ?? "",
      short: sides[index]?.slot.toUpperCase() ?? "",
      equity: aligned(times, curve.times, curve.equity),
      drawdown: aligned(times, curve.times, curve.drawdown),
    })),
  };
}
