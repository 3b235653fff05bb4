import { METRICS } from "../../metrics";
import type { ComparedRun } from "../../state/compared";
import { differenceText, judged } from "./differences";
import { letter } from "./run_words";

const NOT_SHOWN = new Set(["open_trade_count"]);

/** The medians of all metrics over the cryptos, with the difference to the first run. */
export function MetricsTable({ runs }: { runs: readonly ComparedRun[] }) {
  const median = ({ summary }: ComparedRun) => summary?.spread?.quantile50;
  return (
    <section class="stack" aria-labelledby="medians">
      <h2 id="medians">Medians over the cryptos</h2>
      <div class="scrolls">
        <table class="compare-metrics">
          <thead>
            <tr>
              <th scope="col">Metric</th>
              {runs.map(({ name }, index) => (
                <th scope="col" key={name}>
                  {letter(index)}
                </th>
              ))}
              {runs.slice(1).map(({ name }, index) => (
                <th scope="col" key={name}>
                  {letter(index + 1)} − A
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {METRICS.filter(({ name }) => !NOT_SHOWN.has(name)).map((metric) => {
              const values = runs.map((run) => median(run)?.[metric.field] ?? Number.NaN);
              return (
                <tr key={metric.name}>
                  <th scope="row" title={metric.definition}>
                    {metric.heading}
                  </th>
                  {values.map((value, index) => (
                    <td key={runs[index]!.name}>{metric.show(value)}</td>
                  ))}
                  {values.slice(1).map((value, index) => {
                    const difference = value - values[0]!;
                    return (
                      <td key={runs[index + 1]!.name} class={judged(metric, difference)}>
                        {differenceText(metric, difference)}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
