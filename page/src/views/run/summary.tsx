import type { RunSummary } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { count, percent, signedPercent } from "../../format";
import { metricOf } from "../../metrics";
import type { Results } from "../../state/results";
import { ReturnHistogram } from "./return_histogram";

const SHOWN = ["total_return", "buy_and_hold_return", "sharpe_ratio", "max_drawdown", "trade_count"].map(
  metricOf,
);

/** What a run comes to over its cryptos: the picture while results come, the figures at the end. */
export function Summary({
  results,
  summary,
  version,
}: {
  results: Results;
  summary: RunSummary | undefined;
  version: number;
}) {
  return (
    <section class="summary" aria-label="Summary">
      <ReturnHistogram results={results} version={version} />
      {summary !== undefined && <Figures summary={summary} />}
    </section>
  );
}

function Figures({ summary }: { summary: RunSummary }) {
  const { spread, best, worst, mean } = summary;
  const columns = [
    ["5 %", spread?.quantile05],
    ["25 %", spread?.quantile25],
    ["Median", spread?.quantile50],
    ["75 %", spread?.quantile75],
    ["95 %", spread?.quantile95],
    ["Mean", mean],
  ] as const;
  return (
    <div class="figures">
      <div class="scrolls">
        <table>
          <thead>
            <tr>
              <th scope="col">Of the cryptos</th>
              {columns.map(([heading]) => (
                <th scope="col" key={heading}>
                  {heading}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {SHOWN.map((metric) => (
              <tr key={metric.name}>
                <th scope="row" title={metric.definition}>
                  {metric.heading}
                </th>
                {columns.map(([heading, metrics]) => (
                  <td key={heading}>{metric.show(metrics?.[metric.field])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p>
        <strong>{percent(spread?.shareGained, 0)}</strong> gained,{" "}
        <strong>{percent(spread?.shareBeatHolding, 0)}</strong> beat holding.
        {best !== undefined && worst !== undefined && (
          <>
            {" "}
            Best: <strong>{best.symbol}</strong> {signedPercent(best.totalReturn)}. Worst:{" "}
            <strong>{worst.symbol}</strong> {signedPercent(worst.totalReturn)}.
          </>
        )}
        {summary.cryptosWithoutTrades > 0 && ` ${count(summary.cryptosWithoutTrades)} without a trade.`}
        {summary.cryptosWithBreaks > 0 &&
          ` ${count(summary.cryptosWithBreaks)} with breaks in their history, marked with *.`}
      </p>
    </div>
  );
}
