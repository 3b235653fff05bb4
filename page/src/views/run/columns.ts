/** The columns of the table of results. */

import type { Column } from "../../components/virtual_table";
import { METRICS, metricOf } from "../../metrics";

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

const METRIC_COLUMNS: readonly Column[] = [
  ...FIRST.map(metricOf),
  ...METRICS.filter(({ name }) => !FIRST.includes(name) && !NOT_SHOWN.has(name)),
].map(({ name, heading, definition, signed }) => ({
  name,
  heading,
  help: definition,
  width: Math.max(signed ? 92 : 80, 9 * heading.length + 24),
}));

export const COLUMNS: readonly Column[] = [
  SYMBOL,
  ...METRIC_COLUMNS,
  { name: "source", heading: "Cache", width: 72, left: true, unordered: true },
];
