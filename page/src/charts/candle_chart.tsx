import { useMemo } from "preact/hooks";
import { count, counted, price } from "../format";
import { equityPanes, type NamedCurve } from "./equity_chart";
import { lineColour, type Palette, palette } from "./palette";
import { type Candles, type Column, type Mark, PANE_HEIGHT, type Pane, type Stretch } from "./series";
import { TimePanes } from "./time_panes";

/** A trade, as a chart draws it. */
export interface ChartTrade {
  readonly entryTime: number;
  readonly entryPrice: number;
  /** The last candle's time and price while the trade is open. */
  readonly exitTime: number;
  readonly exitPrice: number;
  readonly open: boolean;
  readonly short: boolean;
  readonly gain: boolean;
  /** The return with its sign: it stands beside the exit of the selected trade. */
  readonly outcome: string;
}

/** A series that the strategy compares. */
export interface StrategyLine {
  /** In the words of a legend: SMA 20. */
  readonly name: string;
  readonly values: Column;
  /** 0: over the candles. Lines with the same other number share a pane. */
  readonly pane: number;
  /** The numbers that the series is compared with. */
  readonly levels: readonly number[];
}

export interface CandleChartProps {
  readonly label: string;
  readonly times: Column;
  readonly candles: Candles;
  readonly lines: readonly StrategyLine[];
  readonly trades: readonly ChartTrade[];
  /** Opening times of the first candles after breaks. */
  readonly breaks: readonly number[];
  /** Equity curves below the candles, on the same times. */
  readonly curves: readonly NamedCurve[];
  readonly selected: number | null;
  readonly formatPrice: (value: number) => string;
  readonly onSelect: (trade: number) => void;
}

/** Candles with trades and the strategy's series; other series, equity and drawdown in panes below. */
export function CandleChart(props: CandleChartProps) {
  const { times, candles, lines, trades, breaks, curves, selected, formatPrice } = props;
  const colours = palette.value;
  const panes = useMemo(
    () => [
      pricePane(candles, lines, formatPrice, colours),
      ...ownPanes(lines, colours),
      ...(curves.length ? equityPanes(curves, colours) : []),
    ],
    [candles, lines, curves, formatPrice, colours],
  );
  const marks = useMemo(
    () => marksOf(trades, breaks, selected, colours),
    [trades, breaks, selected, colours],
  );
  const trade = selected === null ? undefined : trades[selected];
  const stretch = useMemo(() => (trade ? stretchOf(trade, colours) : null), [trade, colours]);
  const shown = useMemo(() => (trade ? { from: trade.entryTime, to: trade.exitTime } : null), [trade]);
  const weight = panes.reduce((sum, pane) => sum + pane.weight, 0);
  return (
    <TimePanes
      label={props.label}
      summary={summaryOf(props)}
      times={times}
      panes={panes}
      marks={marks}
      stretch={stretch}
      shown={shown}
      height={Math.round(weight * PANE_HEIGHT)}
      onPick={(index, id) => {
        const picked = id?.startsWith("trade ") ? Number(id.slice(6)) : null;
        if (picked !== null) props.onSelect(picked);
        else if (index !== null) selectHeld(trades, times[index] as number, props.onSelect);
      }}
    />
  );
}

/** A click beside the arrows selects the trade that was held then. */
function selectHeld(trades: readonly ChartTrade[], time: number, select: (trade: number) => void): void {
  const held = trades.findIndex((trade) => trade.entryTime <= time && time <= trade.exitTime);
  if (held >= 0) select(held);
}

function pricePane(
  candles: Candles,
  lines: readonly StrategyLine[],
  format: (value: number) => string,
  colours: Palette,
): Pane {
  return {
    name: "price",
    weight: 3,
    candles,
    lines: lines
      .filter(({ pane }) => pane === 0)
      .map(({ name, values }, index) => ({ name, values, kind: "line", colour: lineColour(colours, index) })),
    format,
  };
}

function ownPanes(lines: readonly StrategyLine[], colours: Palette): Pane[] {
  const own = lines.filter(({ pane }) => pane !== 0);
  const numbers = [...new Set(own.map(({ pane }) => pane))].sort((left, right) => left - right);
  return numbers.map((number) => {
    const members = own.filter(({ pane }) => pane === number);
    return {
      name: members.map(({ name }) => name).join(", "),
      weight: 1,
      lines: members.map(({ name, values }, index) => ({
        name,
        values,
        kind: "line",
        colour: lineColour(colours, index),
      })),
      levels: [...new Set(members.flatMap(({ levels }) => levels))],
      format: price,
    };
  });
}

function marksOf(
  trades: readonly ChartTrade[],
  breaks: readonly number[],
  selected: number | null,
  colours: Palette,
): Mark[] {
  const marks: Mark[] = breaks.map((time) => ({
    id: `break ${time}`,
    time,
    kind: "break",
    colour: colours.crosshair,
    text: "break",
  }));
  trades.forEach((trade, index) => {
    const chosen = index === selected;
    const entry = trade.short ? "sell" : "buy";
    const exit = trade.short ? "buy" : "sell";
    const id = `trade ${index}`;
    marks.push({
      id,
      time: trade.entryTime,
      kind: entry,
      colour: chosen ? colours.selected : colours.accent,
      large: chosen,
      ...(chosen ? { text: trade.short ? "short" : "long" } : {}),
    });
    if (!trade.open) {
      marks.push({
        id,
        time: trade.exitTime,
        kind: exit,
        colour: chosen ? colours.selected : trade.gain ? colours.gain : colours.loss,
        large: chosen,
        ...(chosen ? { text: trade.outcome } : {}),
      });
    }
  });
  // Marks must ascend by time; an exit and the next entry can be at the same candle.
  return marks.sort((left, right) => left.time - right.time);
}

function stretchOf(trade: ChartTrade, colours: Palette): Stretch {
  return {
    from: trade.entryTime,
    fromPrice: trade.entryPrice,
    to: trade.exitTime,
    toPrice: trade.exitPrice,
    colour: colours.selected,
  };
}

function summaryOf({ times, candles, trades, formatPrice }: CandleChartProps): string {
  const last = times.length - 1;
  if (last < 0) return "There are no candles.";
  let [highest, lowest] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let index = 0; index <= last; index++) {
    highest = Math.max(highest, candles.high[index] as number);
    lowest = Math.min(lowest, candles.low[index] as number);
  }
  const gains = trades.filter(({ gain }) => gain).length;
  return (
    `${counted(times.length, "candle")}: the price went from ${formatPrice(candles.open[0] as number)} ` +
    `to ${formatPrice(candles.close[last] as number)}, at most ${formatPrice(highest)} and at least ` +
    `${formatPrice(lowest)}. ${counted(trades.length, "trade")}, ${count(gains)} with a gain.`
  );
}
