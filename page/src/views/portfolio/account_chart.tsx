import { create } from "@bufbuild/protobuf";
import { useMemo } from "preact/hooks";
import { BacktestSpecSchema } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { PortfolioResult } from "../../api/stubs/backcast/backtest/v1/portfolio_pb";
import { CacheMode } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { PortfolioStarted } from "../../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import { equityPanes } from "../../charts/equity_chart";
import { lineColour, palette } from "../../charts/palette";
import { aligned, type Column, PANE_HEIGHT, type Pane } from "../../charts/series";
import { TimePanes } from "../../charts/time_panes";
import { useLoaded } from "../../components/use_loaded";
import { count, percent } from "../../format";
import { loadResult } from "../crypto/load";

// As wide as the window, and not too high for a screen.
const HEIGHT = 1.2;

interface Props {
  readonly result: PortfolioResult;
  readonly started: PortfolioStarted;
}

/** The account over time: equity beside holding, drawdown, exposure, positions and cash. */
export function AccountChart({ result, started }: Props) {
  const { curve, benchmark } = result;
  const symbol = benchmark?.symbol ?? "";
  const { value: held } = useLoaded(
    async (signal) => (symbol === "" ? undefined : heldBenchmark(symbol, started, signal)),
    [symbol, started],
  );
  const colours = palette.value;
  const times = useMemo(() => Float64Array.from(curve?.openTimeS ?? [], Number), [curve]);
  const panes = useMemo((): Pane[] => {
    const {
      equity = [],
      drawdown = [],
      cash = [],
      exposure = [],
      positionCount = [],
      hold = [],
    } = curve ?? {};
    const [equityPane, drawdownPane] = equityPanes(
      [
        { name: "equity", equity, drawdown },
        { name: "equal-weighted hold", equity: hold },
      ],
      colours,
    );
    const benchmarkLine = held && {
      name: `${symbol} held`,
      values: aligned(times, held.times, held.equity),
      colour: lineColour(colours, 2),
    };
    const line = (name: string, values: Column, format: (value: number) => string): Pane => ({
      name,
      weight: 0.7,
      lines: [{ name, values, colour: lineColour(colours, 0) }],
      format,
    });
    return [
      { ...equityPane!, lines: [...equityPane!.lines, ...(benchmarkLine ? [benchmarkLine] : [])] },
      drawdownPane!,
      line("exposure", exposure, (value) => percent(value)),
      line("positions", positionCount, count),
      line("cash", cash, count),
    ];
  }, [curve, held, symbol, times, colours]);
  const weight = panes.reduce((sum, pane) => sum + pane.weight, 0);
  return (
    <TimePanes
      label="The account over time"
      summary={summaryOf(result)}
      times={times}
      panes={panes}
      height={Math.round(weight * PANE_HEIGHT * HEIGHT)}
    />
  );
}

/** Hold the benchmark as the account is compared with it: the same capital, without costs. */
async function heldBenchmark(symbol: string, { request }: PortfolioStarted, signal: AbortSignal) {
  const { interval, startTime, endTime, execution } = request?.spec ?? {};
  const { initialCapital, fillTime } = execution ?? {};
  const spec = create(BacktestSpecSchema, {
    strategy: { kind: { case: "buyAndHold", value: {} } },
    ...(interval && { interval }),
    ...(startTime && { startTime }),
    ...(endTime && { endTime }),
    execution: {
      feeRate: 0,
      ...(initialCapital !== undefined && { initialCapital }),
      ...(fillTime && { fillTime }),
    },
  });
  const { result } = await loadResult(symbol, spec, CacheMode.DEFAULT, signal);
  return {
    times: Float64Array.from(result.equityCurve?.openTimeS ?? [], Number),
    equity: Float64Array.from(result.equityCurve?.equity ?? []),
  };
}

function summaryOf({ metrics, hold, curve }: PortfolioResult): string {
  const most = Math.max(0, ...(curve?.positionCount ?? []));
  return `The account returned ${percent(metrics?.totalReturn)}, with a maximum drawdown of ${percent(metrics?.maxDrawdown)} and up to ${most} positions; holding all cryptos with equal weights returned ${percent(hold?.totalReturn)}.`;
}
