import type { BacktestResult } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { figure } from "../../components/figure";
import { Scrolls } from "../../components/scrolls";
import { count, counted, day, percent, price, secondsOf, signedPercent, time } from "../../format";
import { metricOf } from "../../metrics";

const PART_METRICS = ["total_return", "buy_and_hold_return", "max_drawdown", "trade_count"].map(metricOf);

/** What was missing in the data: gaps, breaks and a warm-up that was too short. */
export function DataPanel({ result }: { readonly result: BacktestResult }) {
  const { coverage, breaks, parts } = result;
  const first = Number(coverage?.firstCandleTime?.seconds ?? 0n);
  const last = Number(coverage?.lastCandleTime?.seconds ?? 0n);
  return (
    <section class="stack" aria-labelledby="data">
      <h2 id="data">Data</h2>
      {coverage && (
        <>
          <p>{gapSentence(coverage)}</p>
          <p class="quiet">
            {`The candles of the window are from ${time(first)} to ${time(last)}. The indicators were warmed up over ` +
              `${counted(result.warmupCandles, "candle")} before it.`}
          </p>
        </>
      )}
      {breaks.length > 0 && (
        <>
          <p>
            {`The history breaks ${breaks.length === 1 ? "once" : `${count(breaks.length)} times`}: the crypto was relisted ` +
              "or redenominated, and prices before and after are not comparable."}
          </p>
          <ul class="plain-list">
            {breaks.map(({ beforeTime, afterTime, close, open }) => (
              <li key={String(afterTime?.seconds)}>
                {`After ${time(secondsOf(beforeTime))}: from ${price(close)} to ${price(open)} ` +
                  `(${signedPercent(open / close - 1)}) at ${time(secondsOf(afterTime))}.`}
              </li>
            ))}
          </ul>
        </>
      )}
      {parts.length > 0 && (
        <Scrolls label="Parts between breaks">
          <table class="plain-table">
            <caption>The parts between breaks, each with the initial capital</caption>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">To</th>
                {PART_METRICS.map(({ name, heading }) => (
                  <th scope="col" key={name}>
                    {heading}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {parts.map(({ firstCandleTime, lastCandleTime, metrics }) => (
                <tr key={String(firstCandleTime?.seconds)}>
                  <td>{day(secondsOf(firstCandleTime))}</td>
                  <td>{day(secondsOf(lastCandleTime))}</td>
                  {PART_METRICS.map((metric) => (
                    <td key={metric.name}>{metrics && figure(metric, metrics[metric.field])}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      <p class="quiet">
        {`${result.fromCache ? "From the cache" : "Computed just now"}, by engine ${result.engineVersion}.`}
      </p>
    </section>
  );
}

function gapSentence(coverage: NonNullable<BacktestResult["coverage"]>): string {
  const { expectedCandles, missingCandles, longestGapCandles, missingHours } = coverage;
  if (missingCandles === 0 && missingHours === 0)
    return `All ${count(expectedCandles)} candles of the window are there.`;
  if (missingCandles === 0)
    return `All ${count(expectedCandles)} candles are there, but ${counted(missingHours, "hour")} within them are missing.`;
  return (
    `${count(missingCandles)} of ${counted(expectedCandles, "candle")} are missing ` +
    `(${percent(missingCandles / expectedCandles)}); the longest gap has ${counted(longestGapCandles, "candle")}. ` +
    "Missing candles are left out, never filled."
  );
}
