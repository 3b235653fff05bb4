/** Names for numbers in rules, such as {n} in `rsi({n}) < {low}`, that a sweep puts values in place of. */

import { create } from "@bufbuild/protobuf";
import type { Query } from "../../address";
import {
  ParameterType,
  type StrategyParameter,
  StrategyParameterSchema,
} from "../../api/stubs/backcast/gateway/v1/strategy_description_pb";
import { strategyName } from "../../spec";
import { strategies } from "../../state/lists";

const PLACEHOLDER = /\{\s*([A-Za-z_]\w*)\s*\}/g;

/** The texts of rules. */
export interface RuleTexts {
  readonly entry?: string | undefined;
  readonly exit?: string | undefined;
}

/** Return the names of the placeholders of rules, in the order of the texts, each once. */
export function placeholdersOf({ entry = "", exit = "" }: RuleTexts): string[] {
  const found = [...entry.matchAll(PLACEHOLDER), ...exit.matchAll(PLACEHOLDER)];
  return [...new Set(found.map(([, name = ""]) => name))];
}

/** Return the text of a rule with values in place of its placeholders. */
export function filledIn(text: string | undefined, values: Readonly<Record<string, string>>) {
  return text?.replace(PLACEHOLDER, (whole, name) => values[name] ?? whole);
}

/** Return what a query can sweep: the parameters of its strategy, or the placeholders of its rules. */
export function sweepable(query: Query): readonly StrategyParameter[] {
  if (strategyName(query) !== "rules")
    return strategies.items.value?.find(({ name }) => name === strategyName(query))?.parameters ?? [];
  return placeholdersOf(query).map((name) =>
    create(StrategyParameterSchema, { name, type: ParameterType.NUMBER, help: `The numbers for {${name}}.` }),
  );
}

/** Return the names of ranges of a query for which its rules have no placeholder. */
export function strayRanges(query: Query): string[] {
  if (strategyName(query) !== "rules") return [];
  const known = placeholdersOf(query);
  return Object.keys(query)
    .filter((name) => name.startsWith("p.") && query[name] !== undefined)
    .map((name) => name.slice(2))
    .filter((name) => !known.includes(name));
}
