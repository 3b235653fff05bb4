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
import { RunStartedSchema } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import {
  type PortfolioStarted,
  type RunPortfolioRequest,
  RunPortfolioRequestSchema,
} from "../../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import type { Problems } from "../../execution";
import { parseFraction, parseNumber } from "../../format";
import { requestOf as backtestsOf, queryOfRun } from "../../request";
import { fieldOf } from "../../spec";
import { parseRank, rankText } from "./rank";

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
  const { strategy, interval, startTime, endTime, execution } = asked.spec;
  const problems: Problems = { ...asked.problems, ...ownProblems(query) };
  const spec = create(PortfolioSpecSchema, {
    strategies: strategy === undefined ? [] : [{ strategy }],
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
  const single = field.replace(/^spec\.strategies(\[\d+\](\.strategy)?)?/, "spec.strategy");
  return own[field] ?? fieldOf({ field: single, description });
}

/** Return the query of a portfolio that has started; undefined if it has several strategies, as the form has one. */
export async function queryOfPortfolio(started: PortfolioStarted): Promise<Query | undefined> {
  const { spec, symbols = [], exclude = [] } = started.request ?? {};
  const [only, ...others] = spec?.strategies ?? [];
  if (spec === undefined || only?.strategy === undefined || others.length > 0) return undefined;
  const { interval, startTime, endTime, execution } = spec;
  const backtest = create(BacktestSpecSchema, {
    strategy: only.strategy,
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
  return { ...query, exclude: exclude.join(","), ...(await ownQuery(spec, query, started.cryptoCount)) };
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
    ...(rebalancing?.threshold && { threshold: `${Number((100 * rebalancing.threshold).toPrecision(15))}%` }),
    ...(benchmark !== "" && benchmark !== USUAL_BENCHMARK && { benchmark }),
  };
}
