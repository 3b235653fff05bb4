/**
 * The strategies of a portfolio in a query: the first one has the names of a backtest, strategy and p.fast, and the
 * second one has 2.strategy and 2.p.fast.
 */

import type { Query } from "../../address";
import type { StrategyDescription } from "../../api/stubs/backcast/gateway/v1/strategy_description_pb";
import type { Problems } from "../../execution";
import { parseFraction, percent } from "../../format";
import { specOf, strategyName } from "../../spec";

/** The gateway takes no more. */
export const MOST_STRATEGIES = 100;

// Sums of weights such as 10% are not exactly 1.
const ROUNDING = 1e-9;

const NAMES = new Set(["strategy", "entry", "exit", "weight"]);

const NUMBERED = /^([2-9]|[1-9]\d{1,2})\.(.+)$/;

/** How many strategies a query has: as many as the greatest number of a name, and too many to be taken at most. */
export function strategyCount(query: Query): number {
  let count = 1;
  for (const [name, value] of Object.entries(query)) {
    const [, number, plain] = NUMBERED.exec(name) ?? [];
    if (value !== undefined && plain !== undefined && isOfStrategy(plain))
      count = Math.max(count, Number(number));
  }
  return Math.min(count, MOST_STRATEGIES + 1);
}

/** The name in the query of a field of a strategy, counted from 0. */
export function nameAt(index: number, name: string): string {
  return index === 0 ? name : `${index + 1}.${name}`;
}

/** Return the names and values that a strategy has in a query, as if it were the only one. */
export function strategyAt(query: Query, index: number): Query {
  const prefix = nameAt(index, "");
  const own: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(query)) {
    const plain = name.slice(prefix.length);
    if (name.startsWith(prefix) && isOfStrategy(plain)) own[plain] = value;
  }
  return own;
}

/** Return problems that are a strategy's, by their plain names, named as in a query. */
export function namedAt(index: number, problems: Problems): Problems {
  return Object.fromEntries(
    Object.entries(problems)
      .filter(([name]) => isOfStrategy(name))
      .map(([name, problem]) => [nameAt(index, name), problem]),
  );
}

/** Return the changes of a query that add a strategy as the last one. */
export function adding(query: Query): Query {
  return { [nameAt(strategyCount(query), "strategy")]: strategyName({}), ...weightsOf(query) };
}

/** Return the changes of a query that remove a strategy: those behind it move up. */
export function removing(query: Query, index: number): Query {
  const count = strategyCount(query);
  const changes: Record<string, string | undefined> = {};
  for (let each = index; each < count; each += 1)
    for (const name of Object.keys(strategyAt(query, each))) changes[nameAt(each, name)] = undefined;
  for (let each = index + 1; each < count; each += 1)
    for (const [name, value] of Object.entries(strategyAt(query, each)))
      changes[nameAt(each - 1, name)] = value;
  const left = { ...weightsOf(query), ...changes };
  // The only strategy has all of the account.
  return count === 2 ? { ...left, weight: undefined } : left;
}

/** The weights of a query as they are: what is wrong with one of them is wrong with all. */
export function weightsOf(query: Query): Query {
  const names = Array.from({ length: strategyCount(query) }, (_, index) => nameAt(index, "weight"));
  return Object.fromEntries(names.map((name) => [name, query[name]]));
}

/** Return what is wrong with the strategies after the first one, and with the weights of all. */
export function strategyProblems(query: Query, described: readonly StrategyDescription[]): Problems {
  const problems: Problems = weightProblems(query);
  for (let index = 1; index < strategyCount(query); index += 1)
    Object.assign(problems, namedAt(index, specOf(strategyAt(query, index), described).problems));
  return problems;
}

/** Return what is wrong with the weights. A sum other than 1 is said at the last weight that is typed. */
export function weightProblems(query: Query): Problems {
  const problems: Problems = {};
  const names = Object.keys(weightsOf(query));
  let sum = 0;
  let last: string | undefined;
  for (const name of names) {
    const text = query[name];
    if (text !== undefined) last = name;
    const weight = text === undefined ? 1 / names.length : parseFraction(text)?.value;
    if (weight === undefined) problems[name] = "Write a fraction, such as 40% or 0.4.";
    else if (!(weight > 0)) problems[name] = "A weight must be above 0.";
    else sum += weight;
  }
  if (last !== undefined && Object.keys(problems).length === 0 && !(Math.abs(sum - 1) <= ROUNDING))
    problems[last] = `The weights must add up to 100 %, not ${percent(sum)}.`;
  return problems;
}

/** The weight of a strategy; undefined for an equal share, and for what is no weight. */
export function weightAt(query: Query, index: number): number | undefined {
  return parseFraction(query[nameAt(index, "weight")] ?? "")?.value;
}

function isOfStrategy(name: string): boolean {
  return name.startsWith("p.") || NAMES.has(name);
}
