/** The columns of the table of results. */

import type { Column } from "../../components/virtual_table";
import { METRICS, type MetricField, metricOf } from "../../metrics";

// What most look at first; the other metrics follow.
const FIRST = [
  "total_return",
  "buy_and_hold_return",
  "sharpe_ratio",
  "max_drawdown",
  "win_rate",
  "trade_count",
  "exposure",
  "cagr",
  "sortino_ratio",
  "profit_factor",
  "fees_paid",
];
const NOT_SHOWN = new Set(["open_trade_count"]);

const SYMBOL: Column = { name: "symbol", heading: "Crypto", width: 128, left: true };

export interface MetricColumn extends Column {
  readonly field: MetricField;
}

const metricColumns: readonly MetricColumn[] = [
  ...FIRST.map(metricOf),
  ...METRICS.filter(({ name }) => !FIRST.includes(name) && !NOT_SHOWN.has(name)),
].map(({ name, field, heading, definition, signed }) => ({
  name,
  field,
  heading,
  help: definition,
  width: Math.max(signed ? 92 : 80, 9 * heading.length + 24),
}));

export const COLUMNS: readonly Column[] = [
  SYMBOL,
  ...metricColumns,
  { name: "source", heading: "Cache", width: 72, left: true, unordered: true },
];
