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

// Longer than anybody types; a link can have a filter of any length.
const MOST_CHARACTERS = 500;
// No part of these patterns can match a character in two ways: the time they take grows with the text alone.
const SIGN = /(<=|>=|!=|==?|<|>|≤|≥|≠)/;
const VALUE = /^\s*([^\s,;&]+(?:\s+%)?)/;
const SIGNS: Readonly<Record<string, Comparison>> = { "==": "=", "≤": "<=", "≥": ">=", "≠": "!=" };

/** Parse a filter. */
export function parseFilter(text: string): Filter {
  const conditions: Condition[] = [];
  const words: string[] = [];
  let problem = text.length > MOST_CHARACTERS ? `A filter has at most ${MOST_CHARACTERS} characters.` : "";
  const addWords = (part: string) => {
    for (const word of part.split(/[\s,;&]+/))
      if (word !== "" && word.toLowerCase() !== "and") words.push(word.toUpperCase());
  };
  // A sign has the metric before it, and after it the value, which the words of the next condition follow.
  const [first = "", ...others] = text.slice(0, MOST_CHARACTERS).split(SIGN);
  let before = first;
  for (let index = 0; index < others.length; index += 2) {
    const [sign = "", after = ""] = others.slice(index, index + 2);
    const [matched = "", right = ""] = VALUE.exec(after) ?? [];
    const parts = before.split(/[,;&]/);
    const left = parts.pop()!.trim();
    addWords(parts.join(" "));
    before = after.slice(matched.length);
    if (left === "" || right === "") {
      problem ||= "Write a condition as sharpe > 1.";
      continue;
    }
    // The words before the metric are parts of symbols: in "btc max drawdown < 20%" the metric has two words.
    const names = left.split(/\s+/);
    const from = names.findIndex((_, index) => metricMeant(names.slice(index).join(" ")) !== undefined);
    const metric = from < 0 ? undefined : metricMeant(names.slice(from).join(" "));
    const value = metric?.fraction ? parseFraction(right)?.value : parseNumber(right);
    if (metric === undefined) problem ||= `There is no metric "${names.at(-1)}": ${NAMES}.`;
    else if (value === undefined)
      problem ||= `"${right}" is no number${metric.fraction ? " like 0.1 or 10%" : ""}.`;
    else {
      addWords(names.slice(0, from).join(" "));
      conditions.push({ field: metric.field, comparison: SIGNS[sign] ?? (sign as Comparison), value });
    }
  }
  addWords(before);
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
