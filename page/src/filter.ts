/**
 * The filter of a table of results, as typed: `btc`, `sharpe > 1`, `usdt return > 10% trades >= 5`.
 *
 * Words filter by the symbol, conditions by a metric; a row is shown if all of them hold.
 */

import { parseFraction, parseNumber } from "./format";
import { METRICS, type MetricField, metricMeant } from "./metrics";

type Comparison = "<" | "<=" | ">" | ">=" | "=" | "!=";

export interface Condition {
  readonly field: MetricField;
  readonly comparison: Comparison;
  readonly value: number;
}

export interface Filter {
  /** Parts of symbols, in capitals. */
  readonly words: readonly string[];
  readonly conditions: readonly Condition[];
  /** What cannot be read, as a sentence; empty if all can. */
  readonly problem: string;
}

const CONDITION = /([a-z][a-z_ -]*?)\s*(<=|>=|!=|==?|<|>|≤|≥|≠)\s*([^\s,;&]+(?:\s+%)?)/gi;
const SIGNS: Readonly<Record<string, Comparison>> = { "==": "=", "≤": "<=", "≥": ">=", "≠": "!=" };

/** Parse a filter. */
export function parseFilter(text: string): Filter {
  const conditions: Condition[] = [];
  const words: string[] = [];
  let problem = "";
  const addWords = (part: string) => {
    for (const word of part.split(/[\s,;&]+/))
      if (word !== "" && word.toLowerCase() !== "and") words.push(word.toUpperCase());
  };
  const rest = text.replace(CONDITION, (_, left: string, sign: string, right: string) => {
    // The words before the metric are parts of symbols: in "btc max drawdown < 20%" the metric has two words.
    const parts = left.trim().split(/\s+/);
    const from = parts.findIndex((_, index) => metricMeant(parts.slice(index).join(" ")) !== undefined);
    const metric = from < 0 ? undefined : metricMeant(parts.slice(from).join(" "));
    const value = metric?.fraction ? parseFraction(right)?.value : parseNumber(right);
    if (metric === undefined) problem ||= `There is no metric "${parts.at(-1)}": ${NAMES}.`;
    else if (value === undefined)
      problem ||= `"${right}" is no number${metric.fraction ? " like 0.1 or 10%" : ""}.`;
    else {
      addWords(parts.slice(0, from).join(" "));
      conditions.push({ field: metric.field, comparison: SIGNS[sign] ?? (sign as Comparison), value });
    }
    return " ";
  });
  const dangling = /[<>=≤≥≠]/.exec(rest);
  if (dangling !== null) problem ||= "Write a condition as sharpe > 1.";
  else addWords(rest);
  return { words, conditions, problem };
}

const NAMES = `try ${METRICS.slice(0, 6)
  .map(({ heading }) => heading.toLowerCase())
  .join(", ")}`;

/** Return whether `value` fulfils a condition; an undefined figure (NaN) fulfils none. */
export function holds(value: number, { comparison, value: limit }: Condition): boolean {
  switch (comparison) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
    case "=":
      return value === limit;
    case "!=":
      return value !== limit && !Number.isNaN(value);
  }
}
