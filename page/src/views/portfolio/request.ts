/** The portfolio that a query of the address describes, and the query that describes one. */

import { create } from "@bufbuild/protobuf";
import type { Query } from "../../address";
import type { Violation } from "../../api/explain";
import { BacktestSpecSchema } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import {
  PortfolioSize,
  type PortfolioSpec,
  PortfolioSpecSchema,
} from "../../api/stubs/backcast/backtest/v1/portfolio_pb";
import { Detail } from "../../api/stubs/backcast/backtest/v1/result_pb";
import type { Strategy } from "../../api/stubs/backcast/backtest/v1/strategy_pb";
import { RunStartedSchema } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import {
  type PortfolioStarted,
  type RunPortfolioRequest,
  RunPortfolioRequestSchema,
} from "../../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import type { Problems } from "../../execution";
import { parseFraction, parseNumber } from "../../format";
import { requestOf as backtestsOf, queryOfRun, queryOfStrategy, share } from "../../request";
import { fieldOf } from "../../spec";
import { parserOf } from "../../state/rules";
import { parseRank, rankText } from "./rank";
import { nameAt, namedAt, strategyAt, strategyCount, weightAt, weightProblems } from "./strategies";

/** The chart is no wider; extremes are kept. */
const CURVE_POINTS = 4000;

const USUAL_POSITIONS = 10;
const USUAL_BENCHMARK = "BTCUSDT";

/** Sizes as the query names them; the usual one is not named. */
export const SIZES: Readonly<Record<string, PortfolioSize>> = {
  equal: PortfolioSize.EQUAL,
  execution: PortfolioSize.EXECUTION,
};

export interface Asked {
  readonly request: RunPortfolioRequest;
  readonly problems: Problems;
}

/** Return the request of a query; wait for what is not there yet: the strategies, the parsed rules and the rank. */
export async function requestOf(query: Query): Promise<Asked> {
  const asked = await backtestsOf(query);
  const { interval, startTime, endTime, execution } = asked.spec;
  const { strategies, problems: further } = await strategiesOf(query, asked.spec.strategy);
  const problems: Problems = { ...asked.problems, ...further, ...ownProblems(query) };
  const spec = create(PortfolioSpecSchema, {
    strategies,
    interval,
    ...(startTime && { startTime }),
    ...(endTime && { endTime }),
    ...(execution && { execution }),
    size: SIZES[query.sizing ?? ""] ?? PortfolioSize.UNSPECIFIED,
    benchmark: query.benchmark?.trim() ?? "",
  });
  const positions = wholeNumber(query.positions);
  if (positions !== undefined) spec.maxPositions = positions;
  const every = wholeNumber(query.rebalance);
  if (every !== undefined) {
    const threshold = parseFraction(query.threshold ?? "0")?.value ?? 0;
    spec.rebalancing = { $typeName: "backcast.backtest.v1.Rebalancing", every, threshold };
  }
  if (query.rank !== undefined) {
    const { rank, error, failure } = await parseRank(query.rank, query.interval);
    if (rank !== undefined) spec.rank = rank;
    const wrong = error?.sentence ?? failure?.sentence;
    if (wrong !== undefined) problems.rank = wrong;
  }
  const { symbols, exclude } = asked.request;
  const request = create(RunPortfolioRequestSchema, {
    symbols,
    exclude,
    spec,
    detail: Detail.EQUITY,
    curvePoints: CURVE_POINTS,
  });
  return { request, problems };
}

/** Return the strategies of a query, of which `first` is the first, and what is wrong with the others and the weights. */
async function strategiesOf(query: Query, first: Strategy | undefined) {
  const weighted = (strategy: Strategy | undefined, index: number) => {
    const weight = weightAt(query, index);
    return strategy === undefined ? [] : [{ strategy, ...(weight !== undefined && { weight }) }];
  };
  const strategies = weighted(first, 0);
  const problems = weightProblems(query);
  for (let index = 1; index < strategyCount(query); index += 1) {
    const own = { ...strategyAt(query, index), interval: query.interval };
    const asked = await backtestsOf(own, parserOf(index));
    strategies.push(...weighted(asked.spec.strategy, index));
    Object.assign(problems, namedAt(index, asked.problems));
  }
  return { strategies, problems };
}

/** Return what is wrong with the fields that only a portfolio has, as far as the page can tell. */
export function ownProblems(query: Query): Problems {
  const problems: Problems = {};
  const { positions, rebalance, threshold, sizing } = query;
  if (positions !== undefined && wholeNumber(positions) === undefined)
    problems.positions = "Write a whole number, such as 10.";
  if (rebalance !== undefined && wholeNumber(rebalance) === undefined)
    problems.rebalance = "Write a whole number of candles, such as 168.";
  if (threshold !== undefined && parseFraction(threshold) === undefined)
    problems.threshold = "Write a fraction, such as 10% or 0.1.";
  else if (threshold !== undefined && rebalance === undefined)
    problems.threshold = "Say every how many candles, too: the deviation alone rebalances nothing.";
  if (sizing !== undefined && !Object.hasOwn(SIZES, sizing)) problems.sizing = "There is no such size.";
  return problems;
}

function wholeNumber(text: string | undefined): number | undefined {
  const value = parseNumber(text ?? "");
  return value !== undefined && Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? value : undefined;
}

/** The name in the query of the field that a violation of the API names. */
export function portfolioFieldOf(violation: Violation): string | undefined {
  const own: Readonly<Record<string, string>> = {
    "spec.max_positions": "positions",
    "spec.size": "sizing",
    "spec.rebalancing": "rebalance",
    "spec.rebalancing.every": "rebalance",
    "spec.rebalancing.threshold": "threshold",
    "spec.benchmark": "benchmark",
  };
  const { field, description } = violation;
  if (field.startsWith("spec.rank")) return "rank";
  const [, number, weight] = /^spec\.strategies\[(\d+)\](\.weight)?/.exec(field) ?? [];
  const index = Number(number ?? 0);
  if (weight !== undefined) return nameAt(index, "weight");
  const single = field.replace(/^spec\.strategies(\[\d+\](\.strategy)?)?/, "spec.strategy");
  const name = own[field] ?? fieldOf({ field: single, description });
  return name === undefined || number === undefined ? name : nameAt(index, name);
}

/** Return the query of a portfolio that has started. */
export async function queryOfPortfolio(started: PortfolioStarted): Promise<Query | undefined> {
  const { spec, symbols = [], exclude = [] } = started.request ?? {};
  const [first, ...others] = spec?.strategies ?? [];
  if (spec === undefined || first?.strategy === undefined) return undefined;
  const { interval, startTime, endTime, execution } = spec;
  const backtest = create(BacktestSpecSchema, {
    strategy: first.strategy,
    interval,
    ...(startTime && { startTime }),
    ...(endTime && { endTime }),
    ...(execution && { execution }),
  });
  const run = create(RunStartedSchema, {
    request: { symbols, spec: backtest },
    leftOut: started.leftOut,
  });
  const query = await queryOfRun(run);
  const further = await Promise.all(
    others.map(async ({ strategy }, index) =>
      Object.entries(strategy ? await queryOfStrategy(strategy) : {}).map(
        ([name, value]) => [nameAt(index + 1, name), value] as const,
      ),
    ),
  );
  return {
    ...query,
    ...Object.fromEntries(further.flat()),
    ...weightQuery(spec),
    exclude: exclude.join(","),
    ...(await ownQuery(spec, query, started.cryptoCount)),
  };
}

/** The weights, unless they are equal. */
function weightQuery({ strategies }: PortfolioSpec): Query {
  const equal = 1 / strategies.length;
  if (strategies.every(({ weight = equal }) => weight === equal)) return {};
  return Object.fromEntries(
    strategies.map(({ weight = equal }, index) => [nameAt(index, "weight"), share(weight)]),
  );
}

/** The size that a query means which names none: an equal share, unless the execution has a size. */
export function usualSize({ size, size_by }: Query): string {
  return size === undefined && size_by === undefined ? "equal" : "execution";
}

async function ownQuery(spec: PortfolioSpec, query: Query, cryptos: number): Promise<Query> {
  const { maxPositions, rank, rebalancing, benchmark } = spec;
  const sizing = Object.keys(SIZES).find((name) => SIZES[name] === spec.size);
  return {
    ...(maxPositions !== Math.min(USUAL_POSITIONS, cryptos) && { positions: String(maxPositions) }),
    ...(rank && { rank: await rankText(rank) }),
    ...(sizing !== usualSize(query) && { sizing }),
    ...(rebalancing && { rebalance: String(rebalancing.every) }),
    ...(rebalancing?.threshold && { threshold: share(rebalancing.threshold) }),
    ...(benchmark !== "" && benchmark !== USUAL_BENCHMARK && { benchmark }),
  };
}
