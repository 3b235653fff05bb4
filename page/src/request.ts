/** The request of a run that a query of the address describes, and the query that describes a run's backtest. */

import { create } from "@bufbuild/protobuf";
import type { Query } from "./address";
import { backtests } from "./api/clients";
import type { BacktestSpec } from "./api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { Distance, Execution } from "./api/stubs/backcast/backtest/v1/execution_pb";
import { Detail } from "./api/stubs/backcast/backtest/v1/result_pb";
import { type Strategy, StrategySchema } from "./api/stubs/backcast/backtest/v1/strategy_pb";
import {
  type RunBacktestsRequest,
  RunBacktestsRequestSchema,
  type RunStarted,
} from "./api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { StrategyDescription } from "./api/stubs/backcast/gateway/v1/strategy_description_pb";
import { BREAKS, DIRECTIONS, FILLS, type Problems } from "./execution";
import { secondsOf, time } from "./format";
import { defaultOf, intervalOf, parameterWords, specOf, strategyName, symbolsOf } from "./spec";
import { cryptos, strategies } from "./state/lists";
import { type ParsedRules, parserOf } from "./state/rules";

export interface Asked {
  readonly spec: BacktestSpec;
  readonly request: RunBacktestsRequest;
  readonly problems: Problems;
}

/**
 * Return the request of a query; wait for what is not there yet: the list of strategies and the rules, which `parser`
 * parses.
 */
export async function requestOf(query: Query, parser = parserOf(0)): Promise<Asked> {
  const rules =
    strategyName(query) === "rules"
      ? await parser.parse(query.entry ?? "", query.exit ?? "", query.interval)
      : undefined;
  const { spec, problems } = specOf(query, await strategies.wanted(), rules?.rules);
  const request = create(RunBacktestsRequestSchema, {
    symbols: symbolsOf(query.symbols),
    exclude: symbolsOf(query.exclude),
    spec,
    detail: Detail.METRICS,
  });
  return { spec, request, problems: { ...problems, ...ruleProblems(rules) } };
}

function ruleProblems(rules: ParsedRules | undefined): Problems {
  const problems: Problems = {};
  for (const name of ["entry", "exit"] as const) {
    const error = rules?.errors[name];
    if (error !== undefined) problems[name] = error.sentence;
  }
  if (rules?.failure !== undefined) problems.entry ??= rules.failure.sentence;
  return problems;
}

/** Return the query of a run that has started: its backtest, and its cryptos unless they are all that there are. */
export async function queryOfRun({ request, leftOut }: RunStarted): Promise<Query> {
  const { spec, symbols = [] } = request ?? {};
  if (spec === undefined) throw new Error("the run has no backtest");
  const described = await strategies.wanted();
  const all = (await cryptos.wanted()).length;
  const texts = await textsOf(spec.strategy);
  return {
    ...queryOf(spec, described, texts),
    symbols: symbols.length + leftOut.length === all ? undefined : symbols.join(","),
  };
}

/** Return the query of a strategy. */
export async function queryOfStrategy(strategy: Strategy): Promise<Query> {
  return strategyQuery(strategy, await strategies.wanted(), await textsOf(strategy));
}

/** Ask for the texts of a strategy's rules, if it has some. */
async function textsOf(strategy: Strategy | undefined): Promise<{ entry: string; exit: string }> {
  const { description } =
    strategy?.kind.case === "rules" ? await backtests.describeStrategy({ strategy }) : {};
  return { entry: description?.entry ?? "", exit: description?.exit ?? "" };
}

/**
 * Return the query of a backtest, with its defaults left out. `texts` are those of its rules, if it has some.
 *
 * The window is written as it is, so that a link means the same backtest after further imports.
 */
export function queryOf(
  spec: BacktestSpec,
  described: readonly StrategyDescription[],
  texts: { entry?: string; exit?: string } = {},
): Query {
  const interval = intervalOf(spec)?.value;
  return {
    ...strategyQuery(spec.strategy, described, texts),
    ...(interval !== undefined && interval !== "1h" && { interval }),
    ...windowQuery(spec),
    ...(spec.execution && executionQuery(spec.execution)),
  };
}

/** A window, or a backtest, which has one. */
type Span = Pick<BacktestSpec, "startTime" | "endTime">;

export function windowQuery(window: Span | undefined): Query {
  return {
    ...(window?.startTime && { start: time(secondsOf(window.startTime)) }),
    ...(window?.endTime && { end: time(secondsOf(window.endTime)) }),
  };
}

export function windowWords(window: Span | undefined): string {
  const { start = "", end = "" } = windowQuery(window);
  return `${start} to ${end}`;
}

/** "candles of 1 day, 2023-01-01 to 2024-01-01" */
export function candleWords(spec: (Span & Pick<BacktestSpec, "interval">) | undefined): string {
  const window = spec === undefined ? "" : `, ${windowWords(spec)}`;
  return `candles of ${intervalOf(spec)?.label ?? "1 hour"}${window}`;
}

/** The strategy with the parameters that are not its defaults: ma_cross (fast 10). */
export function strategyWords(
  strategy: Strategy | undefined,
  described: readonly StrategyDescription[],
): string {
  const { strategy: name = "", ...query } = strategyQuery(strategy, described, {});
  const parameters = parameterWords(query);
  return parameters.length === 0 ? name : `${name} (${parameters.join(", ")})`;
}

function strategyQuery(
  strategy: Strategy | undefined,
  described: readonly StrategyDescription[],
  texts: { entry?: string; exit?: string },
): Query {
  const field = StrategySchema.fields.find((one) => one.localName === strategy?.kind.case);
  if (strategy === undefined || field?.message === undefined) return {};
  if (field.name === "rules") return { strategy: "rules", ...texts };
  const query: Record<string, string> = { strategy: field.name };
  const values = strategy.kind.value as unknown as Record<string, number | undefined>;
  for (const parameter of field.message.fields) {
    const value = values[parameter.localName];
    if (value === undefined) continue;
    const choice = parameter.enum?.values.find(({ number }) => number === value)?.name;
    const info = described
      .find(({ name }) => name === field.name)
      ?.parameters.find(({ name }) => name === parameter.name);
    const text =
      choice === undefined ? String(value) : (info?.choices.find((one) => choice.endsWith(`_${one}`)) ?? "");
    if (info === undefined || text !== defaultOf(info)) query[`p.${parameter.name}`] = text;
  }
  return query;
}

function executionQuery(execution: Execution): Query {
  const query: Record<string, string> = {};
  const put = (
    name: string,
    value: number | undefined,
    usual: number,
    text: (value: number) => string = String,
  ) => {
    if (value !== undefined && value !== usual) query[name] = text(value);
  };
  put("fee", execution.feeRate, 0.001, share);
  if (execution.slippageBps) query.slippage = `${execution.slippageBps}bps`;
  put("capital", execution.initialCapital, 10_000);
  put("borrow", execution.borrowRate, 0, share);
  put("funding", execution.fundingRate, 0, share);
  const putChoice = <T>(name: string, value: T, choices: Readonly<Record<string, T>>) => {
    for (const [text, choice] of Object.entries(choices)) if (choice === value) query[name] = text;
  };
  putChoice("direction", execution.direction, DIRECTIONS);
  putChoice("fill", execution.fillTime, FILLS);
  putChoice("breaks", execution.breakRule, BREAKS);
  const stops = {
    stop_loss: execution.stopLoss,
    take_profit: execution.takeProfit,
    trailing_stop: execution.trailingStop,
  };
  for (const [name, stop] of Object.entries(stops)) if (stop?.kind.case) query[name] = distanceText(stop);
  if (Object.values(stops).some((stop) => stop?.kind.case === "atrMultiple"))
    put("atr_period", execution.atrPeriod, 14);
  switch (execution.size.case) {
    case "equityFraction":
      if (execution.size.value !== 1) query.size = share(execution.size.value);
      break;
    case "quoteAmount":
      query.size_by = "amount";
      query.size = String(execution.size.value);
      break;
    case "volatilityTarget":
      query.size_by = "volatility";
      query.size = share(execution.size.value.annualVolatility);
      put("volatility_period", execution.size.value.period, 30);
  }
  return query;
}

function distanceText({ kind }: Distance): string {
  return kind.case === "atrMultiple" ? `${kind.value}atr` : share(kind.value ?? 0);
}

/** A fraction as it is typed: 0.1%. */
export function share(value: number): string {
  return `${Number((100 * value).toPrecision(15))}%`;
}
