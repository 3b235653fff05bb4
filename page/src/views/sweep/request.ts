/** The sweep that a query of the address describes, and the backtest of one of its combinations. */

import { create } from "@bufbuild/protobuf";
import type { Query } from "../../address";
import type { Violation } from "../../api/explain";
import {
  type SweepBacktestsRequest,
  SweepBacktestsRequestSchema,
} from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { Problems } from "../../execution";
import { parseFraction, parseNumber } from "../../format";
import { METRICS, type MetricInfo, metricOf } from "../../metrics";
import { requestOf } from "../../request";
import { fieldOf, strategyName } from "../../spec";
import { strayRanges, sweepable } from "./placeholders";
import { isRange, rangeMessage, valuesOf } from "./ranges";

/** As many as the gateway gives: the heat map of one crypto is made of them. */
const BEST_TRIALS = 1000;

const NO_RANGE = "Give at least one parameter several values, such as 5,7,9 or 5..30:5.";

export interface AskedSweep {
  readonly request: SweepBacktestsRequest;
  readonly problems: Problems;
}

/** The metric that a query ranks by. */
export function rankMetric(query: Query): MetricInfo {
  return METRICS.find(({ name }) => name === query.metric) ?? metricOf("sharpe_ratio");
}

/** The query without its ranges: what all combinations have in common. */
export function fixedQuery(query: Query): Query {
  return Object.fromEntries(
    Object.entries(query).filter(([name, value]) => !(name.startsWith("p.") && isSwept(query, value))),
  );
}

/** Return whether a parameter as typed is swept; a placeholder of rules is, with one value too. */
function isSwept(query: Query, text: string | undefined): text is string {
  return text !== undefined && (strategyName(query) === "rules" || isRange(text));
}

/** Return the number of combinations that are typed, those that conflict included, and what is wrong. */
export function combinationsOf(query: Query): { count: number; problems: Problems } {
  const problems: Record<string, string> = {};
  let count = 0;
  for (const parameter of sweepable(query)) {
    const text = query[`p.${parameter.name}`];
    if (!isSwept(query, text)) continue;
    const values = valuesOf(text, parameter);
    if (typeof values === "string") problems[`p.${parameter.name}`] = values;
    else count = Math.max(count, 1) * values.length;
  }
  for (const name of strayRanges(query))
    problems[`p.${name}`] = `The rules have no {${name}}: write it in a rule, or empty this field.`;
  return { count, problems };
}

/** Return what is missing in a sweep of which nothing else is wrong. */
function missing(query: Query, { ranges }: SweepBacktestsRequest): Problems {
  const parameters = sweepable(query);
  if (strategyName(query) === "rules") {
    if (parameters.length === 0) return { entry: "Write a name for what is swept, as {n} in rsi({n}) < 30." };
    const unset = parameters.filter(({ name }) => query[`p.${name}`] === undefined);
    return Object.fromEntries(
      unset.map(({ name }) => [`p.${name}`, `Give {${name}} values, such as 5,7,9 or 5..30:5.`]),
    );
  }
  if (ranges.length > 0) return {};
  const [first] = parameters;
  return first === undefined
    ? { strategy: "This strategy has no parameters to sweep." }
    : { [`p.${first.name}`]: NO_RANGE };
}

/** Return the request of a query; wait for the list of strategies. */
export async function sweepOf(query: Query): Promise<AskedSweep> {
  const { spec, request: run, problems } = await requestOf(fixedQuery(query));
  const found: Record<string, string> = { ...problems, ...combinationsOf(query).problems };
  const request = create(SweepBacktestsRequestSchema, {
    symbols: run.symbols,
    exclude: run.exclude,
    spec,
    metric: rankMetric(query).number,
    bestTrialCount: BEST_TRIALS,
  });
  for (const parameter of sweepable(query)) {
    const text = query[`p.${parameter.name}`];
    const values = isSwept(query, text) ? valuesOf(text, parameter) : "";
    if (typeof values !== "string") request.ranges.push(rangeMessage(parameter.name, values));
  }
  if (query.split !== undefined) {
    const split = parseFraction(query.split)?.value;
    if (split === undefined || split <= 0 || split >= 1) found.split = "Write a fraction, such as 70%.";
    else request.cut = { case: "split", value: split };
  } else if (query.folds !== undefined) {
    const folds = whole(query.folds, 1, 100);
    if (folds === undefined) found.folds = "Write a whole number from 1 to 100.";
    else request.cut = { case: "foldCount", value: folds };
  }
  if (query.min_trades !== undefined) {
    const least = whole(query.min_trades, 0, 2 ** 31 - 1);
    if (least === undefined) found.min_trades = "Write a whole number.";
    else request.minTrades = least;
  }
  if (Object.keys(found).length === 0) Object.assign(found, missing(query, request));
  return { request, problems: found };
}

function whole(text: string, least: number, most: number): number | undefined {
  const value = parseNumber(text);
  return value !== undefined && Number.isInteger(value) && value >= least && value <= most
    ? value
    : undefined;
}

/** The name in the query of the field that a violation of the API names. */
export function sweepFieldOf(violation: Violation, request: SweepBacktestsRequest): string | undefined {
  const [, index] = /^ranges\[(\d+)\]/.exec(violation.field) ?? [];
  if (index !== undefined) return `p.${request.ranges[Number(index)]?.name}`;
  if (violation.field === "ranges") return `p.${request.ranges[0]?.name}`;
  const own: Readonly<Record<string, string>> = {
    split: "split",
    fold_count: "folds",
    min_trades: "min_trades",
    metric: "metric",
  };
  return own[violation.field] ?? fieldOf(violation);
}
