import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { palette } from "./palette";
import { type Column, type Mark, minute, type Pane, type Stretch } from "./series";
import { TimeChart } from "./time_chart";

const MOST_TABLE_ROWS = 500;

export interface TimePanesProps {
  /** What the chart shows, in a few words: its name for screen readers. */
  readonly label: string;
  /** The main numbers of the chart in a sentence: what those know who cannot see it. */
  readonly summary: string;
  /** Unix seconds, ascending. */
  readonly times: Column;
  readonly panes: readonly Pane[];
  readonly marks?: readonly Mark[];
  readonly stretch?: Stretch | null;
  /** Times that are moved into view whenever this changes. */
  readonly shown?: { readonly from: number; readonly to: number } | null;
  readonly height: number;
  readonly onPick?: (index: number | null, markId: string | null) => void;
}

/** A chart of panes over time, with its legends, its attribution and a table of what is visible. */
export function TimePanes({
  label,
  summary,
  times,
  panes,
  marks,
  stretch,
  shown,
  height,
  onPick,
}: TimePanesProps) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<TimeChart | null>(null);
  const pick = useRef(onPick);
  pick.current = onPick;
  const [hovered, setHovered] = useState<number | null>(null);
  const [lastSeen, setLastSeen] = useState(times.length - 1);
  const [tops, setTops] = useState<readonly number[]>([]);
  const colours = palette.value;

  useLayoutEffect(() => {
    const element = host.current as HTMLDivElement;
    const made = new TimeChart(element, times, panes, colours, {
      hover: setHovered,
      pick: (index, id) => pick.current?.(index, id),
    });
    chart.current = made;
    const seen = () =>
      setLastSeen(Math.min(times.length - 1, Math.max(0, Math.floor(made.visible?.to ?? 0))));
    made.onVisible(seen);
    seen();
    const measure = new ResizeObserver(() => setTops(made.paneTops()));
    measure.observe(element);
    // The panes have their heights once the chart has been drawn.
    const frame = requestAnimationFrame(() => setTops(made.paneTops()));
    return () => {
      cancelAnimationFrame(frame);
      measure.disconnect();
      made.close();
      chart.current = null;
    };
  }, [times, panes, colours]);

  useLayoutEffect(() => chart.current?.setMarks(marks ?? []), [times, panes, colours, marks]);
  useLayoutEffect(() => chart.current?.setStretch(stretch ?? null), [times, panes, colours, stretch]);
  useEffect(() => {
    if (shown) chart.current?.show(shown.from, shown.to);
  }, [times, panes, shown]);

  // Other times can be fewer than those that were hovered over.
  const index = Math.min(hovered ?? lastSeen, times.length - 1);
  // The pointer changes the legends many times a second, and nothing of the table.
  const table = useMemo(
    () => <VisibleTable chart={chart} times={times} panes={panes} label={label} />,
    [times, panes, label],
  );
  return (
    <figure class="chart">
      <section
        class="chart-frame"
        aria-label={`${label}. Arrow keys pan, plus and minus zoom, 0 shows everything.`}
        aria-roledescription="chart"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the chart pans and zooms by keys
        tabIndex={0}
        onKeyDown={(event) => {
          if (chart.current && moved(chart.current, times.length, event.key)) event.preventDefault();
        }}
      >
        <div class="chart-host" ref={host} style={{ height: `${height}px` }} aria-hidden="true" />
        {panes.map((pane, number) => (
          <Legend
            key={pane.name}
            pane={pane}
            index={index}
            times={number === 0 ? times : null}
            top={tops[number]}
          />
        ))}
      </section>
      <p class="unseen">{summary}</p>
      {table}
    </figure>
  );
}

function moved(chart: TimeChart, count: number, key: string): boolean {
  const now = chart.visible;
  const width = now ? now.to - now.from : count;
  const actions: Record<string, () => void> = {
    ArrowLeft: () => chart.pan(-0.1),
    ArrowRight: () => chart.pan(0.1),
    PageUp: () => chart.pan(-0.9),
    PageDown: () => chart.pan(0.9),
    "+": () => chart.zoom(0.7),
    "=": () => chart.zoom(0.7),
    "-": () => chart.zoom(1 / 0.7),
    "0": () => chart.showAll(),
    Home: () => {
      chart.visible = { from: -0.5, to: width - 0.5 };
    },
    End: () => {
      chart.visible = { from: count - width - 0.5, to: count - 0.5 };
    },
  };
  actions[key]?.();
  return key in actions;
}

interface LegendProps {
  readonly pane: Pane;
  readonly index: number;
  /** The times, if the legend shows the time. */
  readonly times: Column | null;
  readonly top: number | undefined;
}

/** Names and values of a pane's series at one time. */
function Legend({ pane, index, times, top }: LegendProps) {
  const { candles } = pane;
  const shown = (column: Column) => {
    const value = column[index];
    return value === undefined || Number.isNaN(value) ? "–" : pane.format(value);
  };
  return (
    <div
      class="chart-legend"
      style={{ top: `${(top ?? 0) + 4}px`, visibility: top === undefined ? "hidden" : "visible" }}
    >
      {times && index >= 0 && <span>{minute(times[index] as number)}</span>}
      {pane.title && <span>{pane.title}</span>}
      {candles && (
        <span>
          O {shown(candles.open)} H {shown(candles.high)} L {shown(candles.low)} C {shown(candles.close)}
        </span>
      )}
      {pane.lines.map((line) => (
        <span key={line.name}>
          <i style={{ color: line.colour }} />
          {line.name} {shown(line.values)}
        </span>
      ))}
    </div>
  );
}

interface VisibleTableProps {
  readonly chart: { readonly current: TimeChart | null };
  readonly times: Column;
  readonly panes: readonly Pane[];
  readonly label: string;
}

/** What the chart shows, as a table on demand; and the attribution of the library that draws. */
function VisibleTable({ chart, times, panes, label }: VisibleTableProps) {
  const [range, setRange] = useState<{ from: number; to: number } | null>(null);
  const columns = useMemo(
    () =>
      panes.flatMap(({ candles, lines, format }) => [
        ...(candles
          ? (["open", "high", "low", "close"] as const).map((name) => ({
              name: name as string,
              values: candles[name],
              format,
            }))
          : []),
        ...lines.map(({ name, values }) => ({ name, values, format })),
      ]),
    [panes],
  );
  const open = () => {
    const visible = chart.current?.visible ?? { from: 0, to: times.length };
    const from = Math.max(0, Math.ceil(visible.from));
    setRange({ from, to: Math.min(times.length, Math.floor(visible.to) + 1) });
  };
  const rows = range ? Math.min(range.to - range.from, MOST_TABLE_ROWS) : 0;
  return (
    <>
      <div class="chart-foot">
        <button
          type="button"
          class="link"
          aria-expanded={range !== null}
          onClick={() => (range ? setRange(null) : open())}
        >
          {range ? "Hide the table" : "Show as a table"}
        </button>
        <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer noopener">
          Charts by TradingView Lightweight Charts™
        </a>
      </div>
      {range && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keys
        <section class="chart-table" tabIndex={0} aria-label={`${label}, as a table`}>
          {range.to - range.from > rows && (
            <p>
              The first {rows} of the {(range.to - range.from).toLocaleString("en")} times that the chart
              shows. Zoom in for the others.
            </p>
          )}
          <table>
            <thead>
              <tr>
                <th scope="col">time (UTC)</th>
                {columns.map(({ name }) => (
                  <th scope="col" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {Array.from({ length: rows }, (_, row) => range.from + row).map((index) => (
                <tr key={index}>
                  <th scope="row">{minute(times[index] as number)}</th>
                  {columns.map(({ name, values, format }) => {
                    const value = values[index] as number;
                    return <td key={name}>{Number.isNaN(value) ? "–" : format(value)}</td>;
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}
