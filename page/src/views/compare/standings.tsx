import { count, counted } from "../../format";
import type { MetricInfo } from "../../metrics";
import type { SideResults } from "./use_sides";

/** Metrics of which neither more nor less is better. */
const NEUTRAL = new Set(["buy_and_hold_return", "exposure", "trade_count", "open_trade_count"]);

interface Props {
  readonly sides: readonly { readonly slot: string; readonly results: SideResults }[];
  readonly metric: MetricInfo;
}

/** On how many cryptos each run is better than the first one, and by how much, in a sentence. */
export function Standings({ sides, metric }: Props) {
  const [first, ...others] = sides;
  if (first === undefined) return null;
  const [more, less] = NEUTRAL.has(metric.name) ? ["higher", "lower"] : ["better", "worse"];
  return (
    <>
      {others.map(({ slot, results }) => {
        const { common, better, worse, median } = standing(first.results, results, metric);
        const sign = median > 0 && !metric.show(median).startsWith("+") ? "+" : "";
        return (
          <p key={slot}>
            In the {metric.label}, {slot.toUpperCase()} is {more} than {first.slot.toUpperCase()} on{" "}
            <strong>{count(better)}</strong> of {counted(common, "crypto")} that both have, {less} on{" "}
            <strong>{count(worse)}</strong>
            {common > 0 && (
              <>
                ; the median difference is <strong>{sign + metric.show(median)}</strong>
              </>
            )}
            .
          </p>
        );
      })}
    </>
  );
}

function standing(first: SideResults, own: SideResults, metric: MetricInfo) {
  const differences = [...own.metrics]
    .map(([symbol, metrics]) => {
      const other = first.metrics.get(symbol)?.[metric.field];
      return (metrics[metric.field] ?? Number.NaN) - (other ?? Number.NaN);
    })
    .filter((value) => !Number.isNaN(value))
    .sort((left, right) => left - right);
  const above = differences.filter((value) => value > 0).length;
  const below = differences.filter((value) => value < 0).length;
  const [better, worse] = metric.smallestIsBest ? [below, above] : [above, below];
  const half = differences.length >> 1;
  const median =
    differences.length % 2 === 1 ? differences[half]! : (differences[half - 1]! + differences[half]!) / 2;
  return { common: differences.length, better, worse, median };
}
