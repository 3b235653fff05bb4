import { useMemo, useRef } from "preact/hooks";
import { useWidth } from "./width";

const HEIGHT = 200;
const MARGIN = { left: 8, right: 8, top: 18, bottom: 22 };
const LABEL_WIDTH = 96;
const MOST_BINS = 60;
// Values beyond these quantiles are counted in the outermost bins: one crypto that rose a hundredfold
// would press all others into one bar.
const [LOWEST, HIGHEST] = [0.01, 0.99];

export interface HistogramProps {
  /** What is counted, in the plural: cryptos. */
  readonly counted: string;
  /** What the values are: total return. */
  readonly label: string;
  /** NaN does not count. */
  readonly values: ArrayLike<number>;
  readonly format: (value: number) => string;
}

/** How many of the values lie where, with lines at 0 and at the median. */
export function Histogram({ counted, label, values, format }: HistogramProps) {
  const bins = useMemo(() => binned(values), [values]);
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  return (
    <div class="chart-histogram-frame" ref={frame}>
      {bins ? <Bars {...{ counted, label, format, bins, width }} /> : <p>{`There is no ${label} yet.`}</p>}
    </div>
  );
}

interface BarsProps extends Omit<HistogramProps, "values"> {
  readonly bins: Bins;
  readonly width: number;
}

function Bars({ counted, label, format, bins, width }: BarsProps) {
  const { counts, edges, median } = bins;
  const [first, last] = [edges[0] as number, edges.at(-1) as number];
  const x = (value: number) =>
    MARGIN.left + ((value - first) / (last - first)) * (width - MARGIN.left - MARGIN.right);
  const most = Math.max(...counts);
  const bottom = HEIGHT - MARGIN.bottom;
  const y = (height: number) => bottom - (height / most) * (bottom - MARGIN.top);
  const inside = (value: number) => first <= value && value <= last;
  const titleOf = (index: number) => {
    const [from, to] = [format(edges[index] as number), format(edges[index + 1] as number)];
    const range =
      index === 0 && bins.below
        ? `below ${to}`
        : index === counts.length - 1 && bins.above
          ? `${from} and above`
          : `${from} to ${to}`;
    return `${(counts[index] as number).toLocaleString("en")} ${counted}: ${range}`;
  };
  const summary =
    `Distribution of the ${label} of ${bins.count.toLocaleString("en")} ${counted}: the median is ${format(median)}, ` +
    `${bins.gains.toLocaleString("en")} are above 0, and 98 of 100 lie between ${format(bins.low)} and ${format(bins.high)}.`;
  return (
    <svg class="chart-histogram" width={width} height={HEIGHT} role="img" aria-label={summary}>
      {counts.map((height, index) => {
        const [left, right] = [x(edges[index] as number), x(edges[index + 1] as number)];
        return (
          <rect
            key={index}
            class={(edges[index] as number) < 0 ? "bar-loss" : "bar-gain"}
            x={left + 0.5}
            width={Math.max(0.5, right - left - 1)}
            y={y(height)}
            height={bottom - y(height)}
          >
            <title>{titleOf(index)}</title>
          </rect>
        );
      })}
      <line class="axis" x1={MARGIN.left} x2={width - MARGIN.right} y1={bottom} y2={bottom} />
      {inside(0) && (
        <>
          <line class="line-zero" x1={x(0)} x2={x(0)} y1={MARGIN.top} y2={bottom + 4} />
          <text x={x(0)} y={HEIGHT - 6} text-anchor="middle">
            0
          </text>
        </>
      )}
      {inside(median) && (
        <>
          <line class="line-median" x1={x(median)} x2={x(median)} y1={MARGIN.top} y2={bottom} />
          <text class="text-median" x={x(median)} y={12} text-anchor={anchor(x(median), width)}>
            {`median ${format(median)}`}
          </text>
        </>
      )}
      {!(inside(0) && x(0) < LABEL_WIDTH) && (
        <text x={MARGIN.left} y={HEIGHT - 6}>
          {bins.below ? `below ${format(first)}` : format(bins.least)}
        </text>
      )}
      {!(inside(0) && width - x(0) < LABEL_WIDTH) && (
        <text x={width - MARGIN.right} y={HEIGHT - 6} text-anchor="end">
          {bins.above ? `above ${format(last)}` : format(bins.greatest)}
        </text>
      )}
    </svg>
  );
}

function anchor(at: number, width: number): "start" | "middle" | "end" {
  return at < LABEL_WIDTH ? "start" : at > width - LABEL_WIDTH ? "end" : "middle";
}

interface Bins {
  readonly counts: number[];
  /** One more than counts; 0 is one of them, so that no bar mixes gains and losses. */
  readonly edges: number[];
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  /** The quantiles between which the bins lie. */
  readonly low: number;
  readonly high: number;
  readonly gains: number;
  readonly below: boolean;
  readonly above: boolean;
  readonly count: number;
}

/** Bins by the rule of Freedman and Diaconis; null if there is no value. */
function binned(values: ArrayLike<number>): Bins | null {
  const sorted = Float64Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort();
  const count = sorted.length;
  if (!count) return null;
  const low = quantile(sorted, LOWEST);
  const high = quantile(sorted, HIGHEST);
  const spread = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  const rule = (2 * spread) / Math.cbrt(count);
  const width = Math.max(rule || (high - low) / 20, (high - low) / (MOST_BINS - 2)) || Math.abs(low) || 1;
  const from = Math.floor(low / width);
  const to = Math.max(from + 1, Math.ceil(high / width));
  const edges = Array.from({ length: to - from + 1 }, (_, index) => (from + index) * width);
  const counts = new Array<number>(to - from).fill(0);
  for (const value of sorted) {
    const bin = Math.min(counts.length - 1, Math.max(0, Math.floor(value / width) - from));
    counts[bin] = (counts[bin] as number) + 1;
  }
  return {
    counts,
    edges,
    median: quantile(sorted, 0.5),
    least: sorted[0] as number,
    greatest: sorted[count - 1] as number,
    low,
    high,
    gains: sorted.filter((value) => value > 0).length,
    below: (sorted[0] as number) < (edges[0] as number),
    above: (sorted[count - 1] as number) > (edges.at(-1) as number),
    count,
  };
}

/** With linear interpolation between the two nearest values, as the summary of a run has its quantiles. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const [left, right] = [sorted[below] as number, sorted[Math.min(below + 1, sorted.length - 1)] as number];
  return left + (right - left) * (at - below);
}
