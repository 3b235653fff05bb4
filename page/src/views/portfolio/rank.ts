/** The rank of a portfolio, a series as text: the gateway parses it at every pause of the typing. */

import { create } from "@bufbuild/protobuf";
import { signal } from "@preact/signals";
import { backtests } from "../../api/clients";
import type { Explanation } from "../../api/explain";
import {
  type Expression,
  ExpressionSchema,
  Function as RuleFunction,
} from "../../api/stubs/backcast/backtest/v1/expression_pb";
import { INTERVALS } from "../../spec";
import { type RuleError, wrong } from "../../state/rules";

interface ParsedRank {
  readonly text: string;
  /** Length of the candles that it is for, as in the query. */
  readonly length: string | undefined;
  readonly rank?: Expression | undefined;
  readonly error?: RuleError | undefined;
  /** Why the text could not be parsed at all, such as a gateway that is away. */
  readonly failure?: Explanation | undefined;
}

const PAUSE_MS = 120;

/** The text that was parsed last. */
export const parsedRank = signal<ParsedRank | undefined>(undefined);

let timer: ReturnType<typeof setTimeout> | undefined;

/** Parse a text for candles of some length once nothing has been typed for a moment. */
export function parseRankSoon(text: string, length: string | undefined): void {
  clearTimeout(timer);
  timer = setTimeout(() => void parseRank(text, length), PAUSE_MS);
}

/** Parse a text now. */
export async function parseRank(text: string, length: string | undefined): Promise<ParsedRank> {
  clearTimeout(timer);
  const known = parsedRank.peek();
  if (known?.text === text && known.length === length && known.failure === undefined) return known;
  if (text.trim() === "") return { text, length };
  const interval = INTERVALS.find(({ value }) => value === (length ?? "1h"))?.number ?? 0;
  const parsed = await backtests.parseRules({ series: text, interval }).then(
    ({ series }): ParsedRank => ({ text, length, rank: series }),
    (error): ParsedRank => {
      const { errors, failure } = wrong(error, { series: text });
      return { text, length, error: errors.series, failure };
    },
  );
  parsedRank.value = parsed;
  return parsed;
}

const ABOVE_ZERO = / > 0$/;

/** Return the text of a rank. The gateway writes rules as text, and a series as a part of them. */
export async function rankText(rank: Expression): Promise<string> {
  const zero = create(ExpressionSchema, { kind: { case: "number", value: 0 } });
  const entry = create(ExpressionSchema, {
    kind: { case: "function", value: RuleFunction.GREATER },
    arguments: [rank, zero],
  });
  const { description } = await backtests.describeStrategy({
    strategy: { kind: { case: "rules", value: { entry } } },
  });
  return description?.entry.replace(ABOVE_ZERO, "") ?? "";
}
