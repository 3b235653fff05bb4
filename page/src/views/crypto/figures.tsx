import type { Metrics } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { figure } from "../../components/figure";
import { METRICS, metricOf } from "../../metrics";

const KEY_FIGURES = [
  "total_return",
  "buy_and_hold_return",
  "sharpe_ratio",
  "max_drawdown",
  "trade_count",
  "win_rate",
].map(metricOf);

/** The figures that one looks at first. */
export function KeyFigures({ metrics }: { readonly metrics: Metrics }) {
  return (
    <dl class="key-figures">
      {KEY_FIGURES.map((metric) => (
        <div key={metric.name}>
          <dt>{metric.heading}</dt>
          <dd>{figure(metric, metrics[metric.field])}</dd>
        </div>
      ))}
    </dl>
  );
}

/** All metrics, each of which opens to its definition. */
export function AllFigures({ metrics }: { readonly metrics: Metrics }) {
  return (
    <div class="all-figures">
      {METRICS.map((metric) => (
        <details key={metric.name}>
          <summary>
            <span class="figure-label">{metric.label}</span>
            <span>{figure(metric, metrics[metric.field])}</span>
          </summary>
          <p class="quiet">{metric.definition}</p>
        </details>
      ))}
    </div>
  );
}
