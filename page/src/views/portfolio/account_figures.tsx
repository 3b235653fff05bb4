import type { BenchmarkComparison, PortfolioResult } from "../../api/stubs/backcast/backtest/v1/portfolio_pb";
import type { Metrics } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { figure } from "../../components/figure";
import { Scrolls } from "../../components/scrolls";
import { counted, decimal, signedPercent } from "../../format";
import { METRICS } from "../../metrics";
import { SKIPPED, skippedOf } from "./skipped";

/** The metrics of the account, beside holding. */
export function AccountFigures({ result }: { result: PortfolioResult }) {
  const { metrics, hold, benchmark } = result;
  const columns: readonly (readonly [string, Metrics | undefined])[] = [
    ["Portfolio", metrics],
    ["Equal-weighted hold", hold],
    ...(benchmark === undefined ? [] : [[`${benchmark.symbol} held`, benchmark.metrics] as const]),
  ];
  return (
    <section class="stack" aria-labelledby="figures">
      <h2 id="figures">Figures</h2>
      {benchmark !== undefined && <p>{benchmarkWords(benchmark)}</p>}
      <p>{skippedWords(result)}</p>
      {correlationWords(result) !== "" && <p>{correlationWords(result)}</p>}
      {result.withoutCandles.length > 0 && (
        <p class="quiet">
          {counted(result.withoutCandles.length, "crypto")} without a candle in the window:{" "}
          {result.withoutCandles.slice(0, 5).join(", ")}
          {result.withoutCandles.length > 5 ? ", …" : ""}
        </p>
      )}
      <Scrolls label="Figures of the account">
        <table class="account-figures">
          <thead>
            <tr>
              <th scope="col" class="left">
                Metric
              </th>
              {columns.map(([name]) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {METRICS.map((metric) => (
              <tr key={metric.name}>
                <th scope="row" class="left" title={metric.definition}>
                  {metric.label}
                </th>
                {columns.map(([name, figures]) => (
                  <td key={name}>{figure(metric, figures?.[metric.field])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
    </section>
  );
}

function benchmarkWords({ symbol, alpha, beta, informationRatio }: BenchmarkComparison): string {
  return `Against ${symbol}: alpha ${signedPercent(alpha)} a year, beta ${decimal(beta)}, information ratio ${decimal(informationRatio)}.`;
}

function skippedWords({ cryptos }: PortfolioResult): string {
  const counts = SKIPPED.map(({ words, field }) => ({
    words,
    count: cryptos.reduce((sum, { skipped }) => sum + (skipped?.[field] ?? 0), 0),
  })).filter(({ count }) => count > 0);
  const all = cryptos.reduce((sum, crypto) => sum + skippedOf(crypto), 0);
  if (all === 0) return "No entry was skipped.";
  const reasons = counts.map(({ words, count }) => `${counted(count, "entry", "entries")} ${words}`);
  return `Skipped: ${reasons.join(", ")}.`;
}

function correlationWords({ correlation }: PortfolioResult): string {
  const defined = (correlation?.values ?? []).filter((value) => !Number.isNaN(value));
  if (defined.length === 0) return "";
  const mean = defined.reduce((sum, value) => sum + value, 0) / defined.length;
  return `The returns of two cryptos' positions correlate by ${decimal(mean)} on average, over ${counted(defined.length, "pair")}.`;
}
