import {
  CandlestickSeries,
  CrosshairMode,
  createChart,
  createSeriesMarkers,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  type LogicalRange,
  type SeriesMarker,
  type SeriesType,
  TickMarkType,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Palette } from "./palette";
import {
  type Column,
  indexAt,
  type Mark,
  MONTHS,
  minute,
  PANE_HEIGHT,
  type Pane,
  type Stretch,
} from "./series";

const LEGEND_HEIGHT = 24;
// A trade that is moved into view has at least as many candles around it.
const CANDLES_AROUND = 120;
// A trade that is moved into view is seen at this width of a candle or more, in CSS pixels.
const LEAST_WIDTH = 2;

/** What a chart reports: the index of the time under the pointer (null: none), and a click. */
export interface TimeChartEvents {
  hover(index: number | null): void;
  pick(index: number | null, markId: string | null): void;
}

/** Panes over one time scale, in UTC. Panning and zooming move all panes. */
export class TimeChart {
  readonly #chart: IChartApi;
  readonly #times: Column;
  readonly #marks: ISeriesMarkersPluginApi<Time>;
  readonly #stretch: ISeriesApi<"Line">;

  constructor(
    host: HTMLElement,
    times: Column,
    panes: readonly Pane[],
    colours: Palette,
    events: TimeChartEvents,
  ) {
    this.#times = times;
    this.#chart = createChart(host, options(colours, host.clientWidth));
    const first = panes.map((pane, index) => this.#add(pane, index, colours))[0] as ISeriesApi<SeriesType>;
    this.#marks = createSeriesMarkers(first, [], { autoScale: false });
    this.#stretch = this.#chart.addSeries(LineSeries, {
      lineWidth: 2,
      lineStyle: LineStyle.Dashed,
      lastValueVisible: false,
      priceLineVisible: false,
      crosshairMarkerVisible: false,
      autoscaleInfoProvider: () => null,
    });
    panes.forEach((pane, index) => {
      this.#chart.panes()[index]?.setStretchFactor(pane.weight);
    });
    this.#chart.subscribeCrosshairMove(({ logical }) => events.hover(this.#index(logical)));
    this.#chart.subscribeClick(({ logical, hoveredInfo }) => {
      const id = hoveredInfo?.type === "marker" ? hoveredInfo.objectId : null;
      events.pick(this.#index(logical), typeof id === "string" ? id : null);
    });
    this.showAll();
  }

  close(): void {
    this.#chart.remove();
  }

  setMarks(marks: readonly Mark[]): void {
    this.#marks.setMarkers(marks.map(marker));
  }

  setStretch(stretch: Stretch | null): void {
    this.#stretch.setData(
      stretch && stretch.from < stretch.to
        ? [
            { time: stretch.from as UTCTimestamp, value: stretch.fromPrice },
            { time: stretch.to as UTCTimestamp, value: stretch.toPrice },
          ]
        : [],
    );
    if (stretch) this.#stretch.applyOptions({ color: stretch.colour });
  }

  /** The visible indexes of the times; they can lie beyond both ends. */
  get visible(): LogicalRange | null {
    return this.#chart.timeScale().getVisibleLogicalRange();
  }

  set visible(range: { from: number; to: number }) {
    this.#chart.timeScale().setVisibleLogicalRange(range);
  }

  onVisible(changed: () => void): void {
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange(changed);
  }

  /** Shows all times. */
  showAll(): void {
    const width = this.#chart.timeScale().width() || 800;
    this.#chart.timeScale().applyOptions({
      minBarSpacing: Math.min(0.5, (0.9 * width) / Math.max(1, this.#times.length)),
    });
    this.visible = { from: -0.5, to: this.#times.length - 0.5 };
  }

  /** Moves the times from `from` to `to` (Unix seconds) into the middle, and zooms as far as they need. */
  show(from: number, to: number): void {
    const count = this.#times.length;
    const start = Math.max(0, indexAt(this.#times, from));
    const end = Math.max(start, indexAt(this.#times, to));
    const now = this.visible;
    const most = this.#chart.timeScale().width() / LEAST_WIDTH;
    const asked = Math.max(
      Math.min(now ? now.to - now.from : most, most),
      CANDLES_AROUND,
      (end - start) * 1.5,
    );
    const width = Math.min(asked, count);
    // Nothing is shown beyond the first and the last candle.
    const left = Math.min(Math.max((start + end - width) / 2, -0.5), count - 0.5 - width);
    this.visible = { from: left, to: left + width };
  }

  /** Moves by a share of the visible width. */
  pan(share: number): void {
    const now = this.visible;
    if (!now) return;
    const by = Math.round((now.to - now.from) * share);
    this.visible = { from: now.from + by, to: now.to + by };
  }

  /** Makes the visible width `factor` times as wide. */
  zoom(factor: number): void {
    const now = this.visible;
    if (!now) return;
    const middle = (now.from + now.to) / 2;
    const half = Math.min(this.#times.length, Math.max(10, (now.to - now.from) * factor)) / 2;
    this.visible = { from: middle - half, to: middle + half };
  }

  /** Distances of the panes' tops from the top of the chart, in CSS pixels. */
  paneTops(): number[] {
    let top = 0;
    return this.#chart.panes().map((pane) => {
      const own = top;
      top += pane.getHeight() + 1;
      return own;
    });
  }

  #index(logical: number | undefined): number | null {
    return logical === undefined || logical < 0 || logical >= this.#times.length ? null : logical;
  }

  #add(pane: Pane, index: number, colours: Palette): ISeriesApi<SeriesType> {
    const priceFormat = { type: "custom" as const, formatter: pane.format, minMove: leastMove(pane) };
    const added: ISeriesApi<SeriesType>[] = [];
    const { candles } = pane;
    if (candles) {
      const series = this.#chart.addSeries(
        CandlestickSeries,
        {
          upColor: colours.gain,
          downColor: colours.loss,
          wickUpColor: colours.gain,
          wickDownColor: colours.loss,
          borderVisible: false,
          priceLineVisible: false,
          priceFormat,
        },
        index,
      );
      series.setData(
        this.#points((at) => ({
          open: candles.open[at] as number,
          high: candles.high[at] as number,
          low: candles.low[at] as number,
          close: candles.close[at] as number,
        })),
      );
      added.push(series);
    }
    for (const line of pane.lines) {
      const series = this.#chart.addSeries(
        LineSeries,
        {
          color: line.colour,
          lineStyle: line.dashed ? LineStyle.Dashed : LineStyle.Solid,
          lineWidth: 1,
          crosshairMarkerRadius: 3,
          priceLineVisible: false,
          lastValueVisible: pane.lines.length < 3,
          priceFormat,
        },
        index,
      );
      series.setData(
        this.#points((at) => {
          const value = line.values[at] as number;
          return Number.isNaN(value) ? {} : { value };
        }),
      );
      added.push(series);
    }
    for (const level of pane.levels ?? []) {
      added[0]?.createPriceLine({
        price: level,
        color: colours.crosshair,
        lineStyle: LineStyle.Dashed,
        lineWidth: 1,
        axisLabelVisible: true,
      });
    }
    // The legend is above the lines.
    const top = Math.min(0.4, LEGEND_HEIGHT / (pane.weight * PANE_HEIGHT));
    this.#chart.priceScale("right", index).applyOptions({ scaleMargins: { top, bottom: 0.06 } });
    return added[0] as ISeriesApi<SeriesType>;
  }

  #points<Values extends object>(valuesAt: (index: number) => Values): (Values & { time: UTCTimestamp })[] {
    return Array.from(this.#times, (time, index) => ({ time: time as UTCTimestamp, ...valuesAt(index) }));
  }
}

/**
 * Return the least distance between two labels of a pane's axis.
 *
 * The chart widens the axis of a flat line by it, which must not get lost beside a great value; below the smallest
 * one here, the chart's own rounding hides labels.
 */
function leastMove({ candles, lines }: Pane): number {
  let most = 0;
  for (const values of candles ? [candles.high] : lines.map((line) => line.values))
    for (let index = 0; index < values.length; index++) {
      const value = Math.abs(values[index] as number);
      if (value > most) most = value;
    }
  const digits = most === 0 ? 9 : 6 - Math.floor(Math.log10(most));
  return 10 ** -Math.min(Math.max(digits, 9), 15);
}

function marker(mark: Mark): SeriesMarker<Time> {
  const shapes = { buy: "arrowUp", sell: "arrowDown", break: "square" } as const;
  return {
    id: mark.id,
    time: mark.time as UTCTimestamp,
    position: mark.kind === "buy" ? "belowBar" : "aboveBar",
    shape: shapes[mark.kind],
    color: mark.colour,
    size: mark.large ? 2 : 1,
    ...(mark.text ? { text: mark.text } : {}),
  };
}

function options(colours: Palette, width: number) {
  return {
    autoSize: true,
    layout: {
      // The logo comes with a <style> element, which the page's policy refuses; TimePanes shows the attribution.
      attributionLogo: false,
      background: { color: colours.background },
      textColor: colours.text,
      fontSize: 11,
      fontFamily: "system-ui, sans-serif",
      panes: { separatorColor: colours.border, enableResize: false },
    },
    grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
    crosshair: {
      mode: CrosshairMode.Normal,
      vertLine: { color: colours.crosshair, labelBackgroundColor: colours.crosshair },
      horzLine: { color: colours.crosshair, labelBackgroundColor: colours.crosshair },
    },
    // A scale that gets wider or narrower while one pans makes all canvases anew.
    rightPriceScale: { borderColor: colours.border, minimumWidth: width > 600 ? 84 : 64 },
    timeScale: {
      borderColor: colours.border,
      timeVisible: true,
      secondsVisible: false,
      enableConflation: true,
      tickMarkFormatter: (time: Time, kind: TickMarkType) => tick(time as number, kind),
    },
    localization: { timeFormatter: (time: Time) => minute(time as number) },
    // A finger that moves up or down scrolls the page.
    handleScroll: { vertTouchDrag: false },
    kineticScroll: { touch: !matchMedia("(prefers-reduced-motion: reduce)").matches, mouse: false },
  };
}

function tick(time: number, kind: TickMarkType): string {
  const date = new Date(time * 1000);
  if (kind === TickMarkType.Year) return String(date.getUTCFullYear());
  if (kind === TickMarkType.Month) return MONTHS[date.getUTCMonth()] as string;
  if (kind === TickMarkType.DayOfMonth) return String(date.getUTCDate());
  return date.toISOString().slice(11, 16);
}
