/** Ranges of parameters as people type them: `5,7,9`, `5..30`, `0.5..2:0.25`, `SMA,EMA`. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Query } from "../../address";
import { type ParameterRange, ParameterRangeSchema } from "../../api/stubs/backcast/backtest/v1/sweep_pb";
import {
  ParameterType,
  type StrategyDescription,
  type StrategyParameter,
} from "../../api/stubs/backcast/gateway/v1/strategy_description_pb";
import { counted, parseNumber } from "../../format";
import { defaultOf, rangeOf } from "../../spec";

/** The gateway's limit; a range of a billion values must not be expanded to be refused. */
const MOST_VALUES = 10_000;

/** Decimal places of the values of a range. */
const MOST_PLACES = 12;

export type RangeValue = number | string;

/** Return whether a parameter as typed has several values. */
export function isRange(text: string | undefined): boolean {
  return text?.includes("..") || text?.includes(",") || false;
}

/** Return the values of a range, or a sentence that says what is wrong with it. */
export function valuesOf(text: string, parameter: StrategyParameter): RangeValue[] | string {
  const values = text.includes("..") ? steps(text) : listed(text, parameter);
  if (typeof values === "string") return values;
  if (parameter.type === ParameterType.CHOICE) return values;
  const { minimum, maximum, type } = parameter;
  const isWithin = (value: RangeValue) =>
    Number(value) >= (minimum ?? -Infinity) &&
    Number(value) <= (maximum ?? Infinity) &&
    (type !== ParameterType.INTEGER || Number.isInteger(value));
  const outside = values.find((value) => !isWithin(value));
  return outside === undefined ? values : `${outside} is not ${lowered(rangeOf(parameter))}.`;
}

function listed(text: string, parameter: StrategyParameter): RangeValue[] | string {
  const items = text.split(",").map((item) => item.trim());
  if (items.includes("")) return "A value is missing: commas stand between two of them.";
  if (parameter.type === ParameterType.CHOICE) {
    const known = items.map((item) => item.toUpperCase());
    const unknown = known.find((item) => !parameter.choices.includes(item));
    return unknown === undefined ? known : `${unknown} is not ${lowered(rangeOf(parameter))}.`;
  }
  const numbers = items.map(parseNumber);
  const wrong = numbers.indexOf(undefined);
  return wrong < 0 ? (numbers as number[]) : `"${items[wrong]}" is no number.`;
}

function steps(text: string): number[] | string {
  const [, from = "", to = "", step = ""] = /^(.*?)\.\.([^:]*):?(.*)$/.exec(text) ?? [];
  const first = parseNumber(from);
  const last = parseNumber(to);
  if (first === undefined || last === undefined) return "Write a range as 5..30 or 5..30:5.";
  if (step.trim() === "" && !(Number.isInteger(first) && Number.isInteger(last)))
    return `${text.trim()} needs a step, as in ${from}..${to}:0.5.`;
  const by = step.trim() === "" ? 1 : parseNumber(step);
  if (by === undefined || by <= 0) return "The step must be a number above 0.";
  if (last < first) return `${text.trim()} goes from the greater to the smaller number.`;
  // Whole multiples of the last decimal place, so that ten steps of 0.1 from 0 end at exactly 1.
  const scale = 10 ** Math.min(Math.max(...[from, to, step].map(placesOf)), MOST_PLACES);
  const [low, high, stride] = [first, last, by].map((value) => Math.round(value * scale)) as [
    number,
    number,
    number,
  ];
  if (stride === 0) return `The step must be at least 1e-${MOST_PLACES}.`;
  const count = Math.floor((high - low) / stride) + 1;
  if (count > MOST_VALUES)
    return `${text.trim()} has ${counted(count, "value")}; at most ${counted(MOST_VALUES, "value")} are allowed.`;
  return Array.from({ length: count }, (_, index) => (low + index * stride) / scale);
}

/** Return the number of decimal places of a number as typed: 2 of 0.25, of 2.5e-1 and of 25e-2. */
function placesOf(text: string): number {
  const [digits = "", exponent = "0"] = text.trim().toLowerCase().split("e");
  return Math.max(0, (digits.split(".")[1]?.length ?? 0) - Number(exponent));
}

/** Return the message of a range. */
export function rangeMessage(name: string, values: readonly RangeValue[]): ParameterRange {
  const kindOf = (value: RangeValue): MessageInitShape<typeof ValueSchema> => ({
    kind: typeof value === "number" ? { case: "numberValue", value } : { case: "stringValue", value },
  });
  return create(ParameterRangeSchema, { name, values: values.map(kindOf) });
}

/** Ranges that a person may begin with: around each default, five or six values. */
export function suggestedRanges(strategy: StrategyDescription): Query {
  const query: Record<string, string> = {};
  for (const parameter of strategy.parameters) {
    const usual = parseNumber(defaultOf(parameter));
    if (usual === undefined || usual <= 0) continue;
    const { minimum = 0, maximum = Infinity, type } = parameter;
    const step = type === ParameterType.INTEGER ? Math.max(1, Math.round(usual / 4)) : rounded(usual / 4);
    const low = Math.max(minimum, usual - 2 * step);
    const high = Math.min(maximum, usual + 3 * step);
    if (high > low) query[`p.${parameter.name}`] = `${rounded(low)}..${rounded(high)}:${step}`;
  }
  return query;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function lowered(text: string): string {
  return text[0]!.toLowerCase() + text.slice(1);
}
