import { Scrolls } from "../../components/scrolls";
import { METRICS, type MetricInfo } from "../../metrics";

export interface Compared {
  readonly slot: string;
  readonly name: string;
  readonly figureOf: (metric: MetricInfo) => number | undefined;
}

// Amounts of the quote currency over cryptos of all prices mean little, and the number of open trades less.
const SHOWN = METRICS.filter(({ name }) => !["final_equity", "open_trade_count"].includes(name));

/** Metrics of which neither more nor less is better. */
export const UNRANKED = new Set([
  "buy_and_hold_return",
  "exposure",
  "fees_paid",
  "trade_count",
  "open_trade_count",
  "borrow_paid",
  "funding_paid",
]);

/** All metrics, with a column for each run. The best of a row is marked in words and in bold. */
export function FiguresTable({ compared }: { readonly compared: readonly Compared[] }) {
  return (
    <Scrolls label="Figures of the runs">
      <table class="compare-figures">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            {compared.map(({ slot, name }) => (
              <th scope="col" key={slot}>
                <span class={`side-mark side-${slot}`} /> {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {SHOWN.map((metric) => {
            const values = compared.map(({ figureOf }) => figureOf(metric));
            const best = UNRANKED.has(metric.name) ? -1 : bestOf(values, metric.smallestIsBest);
            return (
              <tr key={metric.name}>
                <th scope="row" title={metric.definition}>
                  {metric.label}
                </th>
                {compared.map(({ slot }, index) => (
                  <td key={slot} class={index === best ? "best" : undefined}>
                    {metric.show(values[index])}
                    {index === best && <span class="unseen"> (best)</span>}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scrolls>
  );
}

/** The index of the best value; -1 if fewer than two are defined or the best are equal. */
function bestOf(values: readonly (number | undefined)[], smallest: boolean): number {
  const defined = values.filter(Number.isFinite) as number[];
  if (defined.length < 2) return -1;
  const best = smallest ? Math.min(...defined) : Math.max(...defined);
  return defined.filter((value) => value === best).length === 1 ? values.indexOf(best) : -1;
}
