import { useMemo } from "preact/hooks";
import { count, percent, price } from "../format";
import { lineColour, type Palette, palette } from "./palette";
import { type Column, PANE_HEIGHT, type Pane } from "./series";
import { TimePanes } from "./time_panes";

/** An equity curve on the times of its chart. */
export interface NamedCurve {
  readonly name: string;
  /** The name beside the drawdown; by default the same. */
  readonly short?: string;
  readonly equity: Column;
  /** Drawdown as a positive fraction; absent for a curve that is only for comparison. */
  readonly drawdown?: Column;
}

// Browsers draw dashes slowly, and those of more points are too dense to be seen.
const MOST_DASHED = 20_000;

// Without candles above them, the panes have more room.
const ALONE = 1.6;

export interface EquityChartProps {
  readonly label: string;
  readonly times: Column;
  readonly curves: readonly NamedCurve[];
}

/** Equity curves over one another, their drawdowns below. */
export function EquityChart({ label, times, curves }: EquityChartProps) {
  const colours = palette.value;
  const panes = useMemo(() => equityPanes(curves, colours), [curves, colours]);
  return (
    <TimePanes
      label={label}
      summary={summaryOf(curves)}
      times={times}
      panes={panes}
      height={Math.round(panes.reduce((sum, { weight }) => sum + weight, 0) * PANE_HEIGHT * ALONE)}
    />
  );
}

/** A pane of equity and one of drawdown. A curve without a drawdown is dashed, unless it is very long. */
export function equityPanes(curves: readonly NamedCurve[], colours: Palette): Pane[] {
  const colour = (curve: NamedCurve, index: number) =>
    curve.drawdown ? lineColour(colours, index) : colours.hold;
  const own = curves.filter(({ drawdown }) => drawdown);
  return [
    {
      name: "equity",
      ...(own.length > 1 && { title: "equity" }),
      weight: 1.5,
      lines: curves.map((curve, index) => ({
        name: curve.name,
        values: curve.equity,
        colour: colour(curve, index),
        dashed: !curve.drawdown && curve.equity.length <= MOST_DASHED,
      })),
      format: amount,
    },
    {
      name: "drawdown",
      ...(own.length > 1 && { title: "drawdown" }),
      weight: 1,
      lines: own.map(({ name, short = name, drawdown }, index) => ({
        name: own.length === 1 ? "drawdown" : short,
        values: negative(drawdown as Column),
        colour: own.length === 1 ? colours.loss : lineColour(colours, index),
      })),
      format: (value) => percent(value),
    },
  ];
}

function negative(column: Column): Float64Array {
  // 0 minus, so that no drawdown is 0 and not -0.
  return Float64Array.from(column, (value) => 0 - value);
}

function amount(value: number): string {
  return Math.abs(value) < 100 ? price(Number(value.toFixed(2))) : count(value);
}

function summaryOf(curves: readonly NamedCurve[]): string {
  return curves
    .map(({ name, equity, drawdown }) => {
      const defined = Array.from(equity).filter((value) => !Number.isNaN(value));
      const [first, last] = [defined[0], defined.at(-1)];
      if (first === undefined || last === undefined) return `${name}: no values.`;
      const deepest = drawdown && Array.from(drawdown).reduce((most, value) => Math.max(most, value), 0);
      const fell = deepest === undefined ? "" : `, with a maximum drawdown of ${percent(deepest)}`;
      return `${name}: from ${amount(first)} to ${amount(last)}${fell}.`;
    })
    .join(" ");
}
