import { href } from "../../address";
import { counted } from "../../format";
import { type MetricInfo, metricOf } from "../../metrics";
import type { SweepSnapshot } from "../../state/sweep";
import { combinationQuery, sweptValues, valueWords } from "./links";

const MOST_SHOWN = 10;

/** The best trials, each a combination on one crypto; while the sweep is under way, those so far. */
export function BestTrials({ shown, rank }: { shown: SweepSnapshot; rank: MetricInfo }) {
  const { best, started, phase } = shown;
  const cut = started?.request?.cut.case !== undefined;
  const metrics = [...new Set([rank, metricOf("total_return"), metricOf("trade_count")])];
  return (
    <section class="stack best-trials" aria-labelledby="best">
      <h2 id="best">
        {phase === "completed"
          ? `The best of ${counted(started?.trialCount ?? 0, "trial")}`
          : "The best so far"}
      </h2>
      <div class="scrolls">
        <table>
          <thead>
            <tr>
              <th scope="col">Crypto</th>
              <th scope="col" class="left">
                Combination
              </th>
              {metrics.map(({ name, heading }) => (
                <th scope="col" key={name}>
                  {heading}
                </th>
              ))}
              {cut && <th scope="col">{rank.heading}, test</th>}
            </tr>
          </thead>
          <tbody>
            {best.slice(0, MOST_SHOWN).map(({ symbol, combination, valueIndexes, train, test }) => {
              const values = sweptValues(shown, valueIndexes);
              const { symbols: _, exclude: __, ...backtest } = combinationQuery(shown, values);
              return (
                <tr key={`${symbol} ${combination}`}>
                  <td>
                    <a href={href("crypto", { symbol, ...backtest })}>{symbol}</a>
                  </td>
                  <td class="left">{valueWords(values)}</td>
                  {metrics.map(({ name, field, show }) => (
                    <td key={name}>{show(train?.[field])}</td>
                  ))}
                  {cut && <td>{rank.show(test?.[rank.field])}</td>}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
