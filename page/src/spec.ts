/**
 * The backtest that a query of the address describes.
 *
 * Every field of the forms is a name of the query, as typed; this module says what fields there are, and makes
 * the API's messages of what is typed. Views that backtest something share the names.
 */

import { create, type DescField } from "@bufbuild/protobuf";
import { timestampFromMs, type Value } from "@bufbuild/protobuf/wkt";
import type { Query } from "./address";
import type { Violation } from "./api/explain";
import { type BacktestSpec, BacktestSpecSchema } from "./api/stubs/backcast/backtest/v1/backtest_spec_pb";
import { ExecutionSchema } from "./api/stubs/backcast/backtest/v1/execution_pb";
import { type Rules, type Strategy, StrategySchema } from "./api/stubs/backcast/backtest/v1/strategy_pb";
import {
  ParameterType,
  type StrategyDescription,
  type StrategyParameter,
} from "./api/stubs/backcast/gateway/v1/strategy_description_pb";
import { Interval } from "./api/stubs/backcast/marketdata/v1/interval_pb";
import type { Choice } from "./components/fields";
import { EXECUTION_FIELDS, executionOf, type Problems } from "./execution";
import { parseNumber, parseTime } from "./format";

/** The strategy of a page without a query. */
const FIRST_STRATEGY = "ma_cross";

export const INTERVALS: readonly (Choice & { readonly number: Interval; readonly seconds: number })[] = [
  { value: "1h", label: "1 hour", number: Interval.INTERVAL_1H, seconds: 3600 },
  { value: "4h", label: "4 hours", number: Interval.INTERVAL_4H, seconds: 4 * 3600 },
  { value: "1d", label: "1 day", number: Interval.INTERVAL_1D, seconds: 24 * 3600 },
  { value: "1w", label: "1 week", number: Interval.INTERVAL_1W, seconds: 7 * 24 * 3600 },
];

/** Return the candles that a backtest trades on; undefined if it does not say. */
export function intervalOf(spec: Pick<BacktestSpec, "interval"> | undefined) {
  return INTERVALS.find(({ number }) => number === spec?.interval);
}

/** "fast 10" of each parameter that a query has. */
export function parameterWords(query: Query): string[] {
  return Object.entries(query)
    .filter(([name]) => name.startsWith("p."))
    .map(([name, value]) => `${name.slice(2)} ${value}`);
}

/** Names of the query that describe a backtest: what other views take along. */
export function backtestQuery(query: Query): Query {
  return Object.fromEntries(
    Object.entries(query).filter(([name]) => name.startsWith("p.") || BACKTEST_NAMES.has(name)),
  );
}

/** Names of the query that describe a run: its backtest, and the cryptos that it is on. */
export function runQuery(query: Query): Query {
  return { ...backtestQuery(query), symbols: query.symbols, exclude: query.exclude };
}

const BACKTEST_NAMES = new Set([
  "strategy",
  "entry",
  "exit",
  "interval",
  "start",
  "end",
  ...EXECUTION_FIELDS.map(({ name }) => name),
]);

/** The name of the strategy that a query has. */
export function strategyName(query: Query): string {
  return query.strategy ?? FIRST_STRATEGY;
}

/**
 * Return the backtest of a query, and what is wrong with it.
 *
 * `rules` are the parsed rules of the query, if its strategy is `rules`. What is wrong is left out of the
 * backtest; the gateway checks everything else.
 */
export function specOf(
  query: Query,
  strategies: readonly StrategyDescription[],
  rules?: Rules,
): { spec: BacktestSpec; problems: Problems } {
  const problems: Problems = {};
  const spec = create(BacktestSpecSchema);
  const strategy = strategyOf(query, strategies, rules, problems);
  if (strategy !== undefined) spec.strategy = strategy;
  if (query.interval !== undefined) {
    const interval = INTERVALS.find(({ value }) => value === query.interval);
    if (interval === undefined) problems.interval = `There is no interval ${query.interval}.`;
    else spec.interval = interval.number;
  }
  for (const [name, key] of [
    ["start", "startTime"],
    ["end", "endTime"],
  ] as const) {
    const text = query[name];
    if (text === undefined) continue;
    const seconds = parseTime(text);
    if (seconds === undefined) problems[name] = "Write a day, such as 2024-01-31.";
    else spec[key] = timestampFromMs(1000 * seconds);
  }
  const execution = executionOf(query, problems);
  if (execution !== undefined) spec.execution = create(ExecutionSchema, execution);
  return { spec, problems };
}

function strategyOf(
  query: Query,
  strategies: readonly StrategyDescription[],
  rules: Rules | undefined,
  problems: Problems,
): Strategy | undefined {
  const name = strategyName(query);
  if (name === "rules") {
    if (rules !== undefined) return create(StrategySchema, { kind: { case: "rules", value: rules } });
    if (!query.entry) problems.entry = "Write when to buy, such as rsi(14) < 30.";
    return undefined;
  }
  const described = strategies.find((one) => one.name === name);
  const kind = StrategySchema.fields.find((one) => one.name === name);
  if (described === undefined || kind?.message === undefined) {
    problems.strategy = `There is no strategy ${name}.`;
    return undefined;
  }
  const value: Record<string, unknown> = {};
  for (const parameter of described.parameters) {
    const text = query[`p.${parameter.name}`];
    if (text === undefined) continue;
    const field = kind.message.fields.find((one) => one.name === parameter.name);
    const number = parameterValue(parameter, text, field);
    if (field === undefined || number === undefined)
      problems[`p.${parameter.name}`] = `${rangeOf(parameter)}.`;
    else value[field.localName] = number;
  }
  return create(StrategySchema, { kind: { case: kind.localName, value } as Strategy["kind"] });
}

/** Return the value of a parameter, a choice by its number in the API; undefined if the text is none in its range. */
function parameterValue(
  parameter: StrategyParameter,
  text: string,
  field: DescField | undefined,
): number | undefined {
  if (parameter.type === ParameterType.CHOICE) {
    if (!parameter.choices.includes(text)) return undefined;
    // EMA of the kind of ma_cross is MOVING_AVERAGE_KIND_EMA.
    return field?.enum?.values.find((one) => one.name.endsWith(`_${text}`) && one.number !== 0)?.number;
  }
  const value = parseNumber(text);
  if (value === undefined) return undefined;
  if (parameter.type === ParameterType.INTEGER && !Number.isInteger(value)) return undefined;
  if (value < (parameter.minimum ?? value) || value > (parameter.maximum ?? value)) return undefined;
  return value;
}

/** "A whole number from 2 to 500", of a parameter. */
export function rangeOf({ type, minimum, maximum, choices }: StrategyParameter): string {
  if (type === ParameterType.CHOICE) return `One of ${choices.join(", ")}`;
  const noun = type === ParameterType.INTEGER ? "A whole number" : "A number";
  const plain = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 6 });
  if (minimum !== undefined && maximum !== undefined)
    return `${noun} from ${plain(minimum)} to ${plain(maximum)}`;
  if (minimum !== undefined) return `${noun} of at least ${plain(minimum)}`;
  return maximum === undefined ? noun : `${noun} of at most ${plain(maximum)}`;
}

/** The default of a parameter as text. */
export function defaultOf(parameter: StrategyParameter): string {
  return valueText(parameter.defaultValue);
}

function valueText(value: Value | undefined): string {
  switch (value?.kind.case) {
    case "numberValue":
    case "stringValue":
      return String(value.kind.value);
    default:
      return "";
  }
}

/** The name in the query of the field that a violation of the API names; undefined if no form has it. */
export function fieldOf(violation: Violation): string | undefined {
  const path = violation.field.replace(/^request\./, "");
  if (/^(symbols|exclude)\b/.test(path)) return path.startsWith("symbols") ? "symbols" : "exclude";
  const [, parameter] = /^spec\.strategy\.\w+\.(\w+)/.exec(path) ?? [];
  if (parameter !== undefined) return /^spec\.strategy\.rules\./.test(path) ? parameter : `p.${parameter}`;
  const simple: Readonly<Record<string, string>> = {
    "spec.strategy": "strategy",
    "spec.interval": "interval",
    "spec.start_time": "start",
    "spec.end_time": "end",
    "spec.execution.quote_amount": "size",
    "spec.execution.volatility_target.annual_volatility": "size",
  };
  return (
    simple[path] ?? EXECUTION_FIELDS.find((one) => path === one.path || path.startsWith(`${one.path}.`))?.name
  );
}

/** The symbols of a list as typed: separated by commas or blanks. Empty for all. */
export function symbolsOf(text: string | undefined): string[] {
  return (text ?? "").split(/[\s,;]+/).filter((symbol) => symbol !== "");
}
