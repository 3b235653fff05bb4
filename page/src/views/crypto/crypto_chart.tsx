import { useMemo } from "preact/hooks";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import { BreakRule, FillTime } from "../../api/stubs/backcast/backtest/v1/execution_pb";
import type { BacktestResult, Trade } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { CandleChart, type ChartTrade } from "../../charts/candle_chart";
import type { NamedCurve } from "../../charts/equity_chart";
import { aligned, indexAt } from "../../charts/series";
import { price, secondsOf, signedPercent } from "../../format";
import { holdingCurve } from "./holding";
import type { CandleColumns, Series } from "./load";

/** The curve of the result, with the equity of buying and holding at the same times. */
export interface Curves {
  readonly times: Float64Array;
  readonly equity: Float64Array;
  readonly drawdown: Float64Array;
  /** Undefined as long as there are no candles. */
  readonly holding: Float64Array | undefined;
}

export function curvesOf(
  spec: BacktestSpec,
  result: BacktestResult,
  candles: CandleColumns | undefined,
): Curves {
  const times = Float64Array.from(result.equityCurve?.openTimeS ?? [], Number);
  const { breakRule, fillTime, initialCapital = 10_000 } = spec.execution ?? {};
  const breaks = breakRule === BreakRule.IGNORE ? [] : breakTimes(result);
  const traded = candles && {
    times,
    open: aligned(times, candles.times, candles.open),
    close: aligned(times, candles.times, candles.close),
  };
  return {
    times,
    equity: Float64Array.from(result.equityCurve?.equity ?? []),
    drawdown: Float64Array.from(result.equityCurve?.drawdown ?? []),
    holding: traded && holdingCurve(traded, breaks, initialCapital, fillTime === FillTime.SAME_CLOSE),
  };
}

interface Props {
  readonly result: BacktestResult;
  readonly candles: CandleColumns;
  readonly series: readonly Series[];
  readonly curves: Curves;
  readonly selected: number | null;
  readonly onSelect: (trade: number) => void;
}

/** Candles, trades, the strategy's series, equity and drawdown of one crypto. */
export function CryptoChart({ result, candles, series, curves, selected, onSelect }: Props) {
  const { times } = candles;
  const lines = useMemo(
    () =>
      series.map(({ label, pane, levels, times: own, values }) => ({
        name: label,
        pane,
        levels,
        values: aligned(times, own, values),
      })),
    [series, times],
  );
  const named = useMemo(() => namedCurves(times, curves), [times, curves]);
  const trades = useMemo(() => result.trades.map((trade) => chartTrade(trade, candles)), [result, candles]);
  const breaks = useMemo(
    () =>
      breakTimes(result).map((at) => times[Math.min(indexAt(times, at - 1) + 1, times.length - 1)] as number),
    [result, times],
  );
  return (
    <CandleChart
      label={`${result.symbol}: candles, trades, equity and drawdown`}
      times={times}
      candles={candles}
      lines={lines}
      trades={trades}
      breaks={breaks}
      curves={named}
      selected={selected}
      formatPrice={price}
      onSelect={onSelect}
    />
  );
}

function namedCurves(times: Float64Array, curves: Curves): NamedCurve[] {
  const own = (values: Float64Array) => aligned(times, curves.times, values);
  return [
    { name: "equity", equity: own(curves.equity), drawdown: own(curves.drawdown) },
    ...(curves.holding ? [{ name: "buy and hold", equity: own(curves.holding) }] : []),
  ];
}

function chartTrade(trade: Trade, { times, close }: CandleColumns): ChartTrade {
  const last = times.length - 1;
  return {
    entryTime: secondsOf(trade.entryTime),
    entryPrice: trade.entryPrice,
    exitTime: trade.open ? (times[last] as number) : secondsOf(trade.exitTime),
    exitPrice: trade.exitPrice ?? (close[last] as number),
    open: trade.open,
    short: trade.units < 0,
    gain: trade.profit > 0,
    outcome: signedPercent(trade.returnFraction),
  };
}

function breakTimes(result: BacktestResult): number[] {
  return result.breaks.map(({ afterTime }) => secondsOf(afterTime));
}
