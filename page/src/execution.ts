/** The execution of a backtest, and its fields in forms: how signals become fills. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Query } from "./address";
import {
  BreakRule,
  Direction,
  type DistanceSchema,
  type ExecutionSchema,
  FillTime,
} from "./api/stubs/backcast/backtest/v1/execution_pb";
import type { Choice } from "./components/fields";
import { parseFraction, parseNumber } from "./format";

/** What is wrong with a form: sentences by the field's name in the query. */
export type Problems = Record<string, string>;

/** A field of the execution, in the order of the form. */
export interface ExecutionField {
  /** The name in the query. */
  readonly name: string;
  readonly label: string;
  /** What happens if the field is empty. */
  readonly empty: string;
  readonly help: string;
  readonly choices?: readonly Choice[];
  /** The field of the API that a violation names. */
  readonly path: string;
}

const field = (
  name: string,
  path: string,
  label: string,
  empty: string,
  help: string,
  choices?: readonly Choice[],
) => ({
  name,
  path: `spec.execution.${path}`,
  label,
  empty,
  help,
  ...(choices && { choices }),
});

export const EXECUTION_FIELDS: readonly ExecutionField[] = [
  field("fee", "fee_rate", "Fee", "0.1%", "Fee of each fill: 0.1%, 10bps or 0.001."),
  field(
    "slippage",
    "slippage_bps",
    "Slippage",
    "0",
    "How much worse than the market each fill is: 5bps or 0.05%.",
  ),
  field("direction", "direction", "Direction", "", "Which positions are allowed.", [
    { value: "", label: "Long only" },
    { value: "short", label: "Short only" },
    { value: "long-short", label: "Long and short" },
  ]),
  field("fill", "fill_time", "Fill", "", "When a signal fills.", [
    { value: "", label: "At the next open" },
    { value: "same-close", label: "At the close of the signal" },
  ]),
  field("capital", "initial_capital", "Capital", "10,000", "Capital at the start, in the quote currency."),
  field("size_by", "size", "Size by", "", "What the size of a position is.", [
    { value: "", label: "Share of the equity" },
    { value: "amount", label: "Amount" },
    { value: "volatility", label: "Volatility" },
  ]),
  field(
    "size",
    "equity_fraction",
    "Size",
    "100%",
    "A share of the equity (50%), an amount (1000), or a yearly volatility (40%).",
  ),
  field(
    "volatility_period",
    "volatility_target.period",
    "Volatility over",
    "30",
    "Number of closes that measure the volatility.",
  ),
  field("stop_loss", "stop_loss", "Stop loss", "none", "Closes a position at a loss of 5% or 2atr."),
  field("take_profit", "take_profit", "Take profit", "none", "Closes a position at a gain of 5% or 2atr."),
  field(
    "trailing_stop",
    "trailing_stop",
    "Trailing stop",
    "none",
    "Closes a position 5% or 2atr from its best price.",
  ),
  field(
    "atr_period",
    "atr_period",
    "ATR over",
    "14",
    "Number of candles of the average true range of stops.",
  ),
  field(
    "funding",
    "funding_rate",
    "Funding",
    "0",
    "Yearly cost of a long position, as a share of its value: 10%.",
  ),
  field(
    "borrow",
    "borrow_rate",
    "Borrowing",
    "0",
    "Yearly cost of a short position, as a share of its value: 10%.",
  ),
  field("breaks", "break_rule", "Breaks", "", "What happens where a history breaks.", [
    { value: "", label: "Close before them" },
    { value: "split", label: "Close, and show the parts" },
    { value: "ignore", label: "Ignore them" },
  ]),
];

export type ExecutionInit = MessageInitShape<typeof ExecutionSchema>;

/** Return the execution of a query, undefined if all is as usual; add what is wrong with it to `problems`. */
export function executionOf(query: Query, problems: Problems): ExecutionInit | undefined {
  const execution: Record<string, unknown> = {};

  const take = <T>(name: string, key: string, parse: (text: string) => T | undefined, wanted: string) => {
    const text = query[name];
    if (text === undefined) return;
    const value = parse(text);
    if (value === undefined) problems[name] ??= wanted;
    else execution[key] = value;
  };
  const fraction = (text: string) => parseFraction(text)?.value;
  /** A cost above `high` is a slip of the pen, unless it is written with a unit. */
  const cost = (name: string, high: number) => (text: string) => {
    const typed = parseFraction(text);
    if (typed === undefined || typed.value <= high) return typed?.value;
    if (typed.hasUnit) execution.allowHighCosts = true;
    else problems[name] = meantSentence(text, typed.value, "");
    return typed.hasUnit ? typed.value : undefined;
  };
  const yearly = (name: string) => (text: string) => {
    const typed = parseFraction(text);
    if (typed === undefined || Math.abs(typed.value) <= 1 || typed.hasUnit) return typed?.value;
    problems[name] = meantSentence(text, typed.value, " a year");
    return undefined;
  };

  /** Names that every object has, such as constructor, are no choices. */
  const choice =
    <T>(choices: Readonly<Record<string, T>>) =>
    (text: string) =>
      Object.hasOwn(choices, text) ? choices[text] : undefined;

  const A_FRACTION = "Write a fraction, such as 0.1%, 10bps or 0.001.";
  const A_NUMBER = "Write a number, such as 10000.";
  take("fee", "feeRate", cost("fee", HIGH_FEE), A_FRACTION);
  take(
    "slippage",
    "slippageBps",
    (text) => {
      const value = cost("slippage", HIGH_SLIPPAGE)(text);
      return value === undefined ? undefined : Number((1e4 * value).toPrecision(15));
    },
    A_FRACTION,
  );
  take("capital", "initialCapital", parseNumber, A_NUMBER);
  take("atr_period", "atrPeriod", wholeNumber, "Write a whole number.");
  take("borrow", "borrowRate", yearly("borrow"), A_FRACTION);
  take("funding", "fundingRate", yearly("funding"), A_FRACTION);
  take("direction", "direction", choice(DIRECTIONS), "There is no such direction.");
  take("fill", "fillTime", choice(FILLS), "There is no such fill.");
  take("breaks", "breakRule", choice(BREAKS), "There is no such rule.");
  for (const [name, key] of [
    ["stop_loss", "stopLoss"],
    ["take_profit", "takeProfit"],
    ["trailing_stop", "trailingStop"],
  ] as const)
    take(name, key, distance, "Write a distance, such as 5%, 0.05 or 2atr.");

  if (query.size !== undefined || query.size_by !== undefined) {
    const size = sizeOf(query, yearly("size"), fraction, problems);
    if (size !== undefined) execution.size = size;
  }
  return Object.keys(execution).length === 0 ? undefined : (execution as ExecutionInit);
}

// Costs above which a slip of the pen is likely, such as 0.1 in place of 0.1 %.
const HIGH_FEE = 0.02;
const HIGH_SLIPPAGE = 0.05;

/** Choices as the query names them. The usual one of each is not named: the query does without it. */
export const DIRECTIONS: Readonly<Record<string, Direction>> = {
  short: Direction.SHORT_ONLY,
  "long-short": Direction.LONG_SHORT,
};
export const FILLS: Readonly<Record<string, FillTime>> = { "same-close": FillTime.SAME_CLOSE };
export const BREAKS: Readonly<Record<string, BreakRule>> = {
  split: BreakRule.SPLIT,
  ignore: BreakRule.IGNORE,
};

function sizeOf(
  query: Query,
  yearly: (text: string) => number | undefined,
  fraction: (text: string) => number | undefined,
  problems: Problems,
): ExecutionInit["size"] | undefined {
  const text = query.size;
  if (query.size_by === undefined) {
    const value = fraction(text ?? "100%");
    if (value === undefined) problems.size = "Write a share of the equity, such as 50%.";
    return value === undefined ? undefined : { case: "equityFraction", value };
  }
  if (query.size_by === "amount") {
    const value = parseNumber(text ?? "");
    if (value === undefined) problems.size = "Write an amount of the quote currency, such as 1000.";
    return value === undefined ? undefined : { case: "quoteAmount", value };
  }
  const annualVolatility = yearly(text ?? "");
  if (annualVolatility === undefined) {
    problems.size ??= "Write a yearly volatility, such as 40%.";
    return undefined;
  }
  const period = query.volatility_period === undefined ? undefined : wholeNumber(query.volatility_period);
  if (query.volatility_period !== undefined && period === undefined)
    problems.volatility_period = "Write a whole number.";
  return { case: "volatilityTarget", value: { annualVolatility, ...(period !== undefined && { period }) } };
}

function wholeNumber(text: string): number | undefined {
  const value = parseNumber(text);
  return value !== undefined && Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? value : undefined;
}

function distance(text: string): MessageInitShape<typeof DistanceSchema> | undefined {
  const [, multiple] = /^(.*)atr$/i.exec(text.trim()) ?? [];
  if (multiple !== undefined) {
    const value = parseNumber(multiple);
    return value === undefined ? undefined : { kind: { case: "atrMultiple", value } };
  }
  const value = parseFraction(text)?.value;
  return value === undefined ? undefined : { kind: { case: "fraction", value } };
}

function meantSentence(text: string, value: number, per: string): string {
  const written = Number((100 * value).toPrecision(15));
  return `${text.trim()} would be ${written} %${per}: write ${written}% if that is meant, and ${text.trim()}% if ${text.trim()} percent is.`;
}
