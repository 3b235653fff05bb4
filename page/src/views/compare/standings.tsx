import { count, counted, decimal } from "../../format";
import type { MetricInfo } from "../../metrics";
import { UNRANKED } from "./figures_table";
import { mean, median, tStatistic, valuesOf } from "./statistics";
import type { SideResults } from "./use_sides";

interface Props {
  readonly sides: readonly { readonly slot: string; readonly results: SideResults }[];
  readonly metric: MetricInfo;
}

/** On how many cryptos each run is better than the first one, and by how much, in a sentence. */
export function Standings({ sides, metric }: Props) {
  const [first, ...others] = sides;
  if (first === undefined) return null;
  const [more, less] = UNRANKED.has(metric.name) ? ["higher", "lower"] : ["better", "worse"];
  return (
    <>
      {others.map(({ slot, results }) => {
        const differences = valuesOf(results.metrics.keys(), metric, results, first.results);
        const above = differences.filter((value) => value > 0).length;
        const below = differences.filter((value) => value < 0).length;
        const [better, worse] = metric.smallestIsBest ? [below, above] : [above, below];
        return (
          <p key={slot}>
            In the {metric.label}, {slot.toUpperCase()} is {more} than {first.slot.toUpperCase()} on{" "}
            <strong>{count(better)}</strong> of {counted(differences.length, "crypto")} that both have, {less}{" "}
            on <strong>{count(worse)}</strong>
            {differences.length > 0 && (
              <>
                ; the mean difference is <strong>{signed(metric, mean(differences))}</strong> (t ={" "}
                {decimal(tStatistic(differences))}), the median one{" "}
                <strong>{signed(metric, median(differences))}</strong>
              </>
            )}
            .
          </p>
        );
      })}
    </>
  );
}

function signed(metric: MetricInfo, value: number): string {
  const text = metric.show(value);
  return value > 0 && !text.startsWith("+") ? `+${text}` : text;
}
