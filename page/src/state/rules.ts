/** Rules that are typed as text: the gateway parses them at every pause of the typing. */

import { ConnectError } from "@connectrpc/connect";
import { signal } from "@preact/signals";
import { backtests } from "../api/clients";
import { type Explanation, explain } from "../api/explain";
import type { Rules } from "../api/stubs/backcast/backtest/v1/strategy_pb";
import { ErrorInfoSchema } from "../api/stubs/google/rpc/error_details_pb";
import { INTERVALS } from "../spec";

/** Where in a text something is wrong, in code units of JavaScript, and what. */
export interface RuleError {
  readonly start: number;
  readonly length: number;
  readonly sentence: string;
}

export interface ParsedRules {
  readonly entry: string;
  readonly exit: string;
  /** Length of the candles that they are for, as in the query. */
  readonly length: string | undefined;
  /** The rules, if both texts are conditions. */
  readonly rules?: Rules;
  readonly errors: { readonly entry?: RuleError; readonly exit?: RuleError };
  /** Why the texts could not be parsed at all, such as a gateway that is away. */
  readonly failure?: Explanation;
}

const PAUSE_MS = 120;

/** The texts that were parsed last. */
export const parsedRules = signal<ParsedRules | undefined>(undefined);

let timer: ReturnType<typeof setTimeout> | undefined;
let asked = new AbortController();

/** Parse two texts for candles of some length once nothing has been typed for a moment. */
export function parseSoon(entry: string, exit: string, length?: string): void {
  clearTimeout(timer);
  asked.abort();
  if (isParsed(entry, exit, length)) return;
  timer = setTimeout(() => void parse(entry, exit, length), PAUSE_MS);
}

/** Parse two texts now; return undefined if something else was asked for meanwhile. */
export async function parse(entry: string, exit: string, length?: string): Promise<ParsedRules | undefined> {
  clearTimeout(timer);
  const known = parsedRules.peek();
  if (known !== undefined && isParsed(entry, exit, length)) return known;
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  if (entry.trim() === "") {
    parsedRules.value = { entry, exit, length, errors: {} };
    return parsedRules.value;
  }
  const interval = INTERVALS.find(({ value }) => value === (length ?? "1h"))?.number ?? 0;
  const parsed = await backtests.parseRules({ entry, exit, interval }, { signal }).then(
    ({ description }): ParsedRules => ({
      entry,
      exit,
      length,
      errors: {},
      ...(description?.rules && { rules: description.rules }),
    }),
    (error): ParsedRules => ({ entry, exit, length, ...wrong(error, { entry, exit }) }),
  );
  if (signal.aborted) return undefined;
  parsedRules.value = parsed;
  return parsed;
}

function isParsed(entry: string, exit: string, length: string | undefined): boolean {
  const known = parsedRules.peek();
  return (
    known !== undefined &&
    known.entry === entry &&
    known.exit === exit &&
    known.length === length &&
    known.failure === undefined
  );
}

/** What the gateway found wrong with texts that it was asked to parse, by their names in the request. */
export function wrong<Name extends string>(
  error: unknown,
  texts: Readonly<Record<Name, string>>,
): { readonly errors: Partial<Record<Name, RuleError>>; readonly failure?: Explanation } {
  const failure = explain(error);
  const places = ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.metadata ?? {};
  const errors: Partial<Record<Name, RuleError>> = {};
  for (const name of Object.keys(texts) as Name[]) {
    const violation = failure.violations.find(({ field }) => field === name);
    if (violation === undefined) continue;
    const text = [...texts[name]];
    const from = Number(places[`${name}_start`] ?? 0);
    const length = Number(places[`${name}_length`] ?? 0) || text.length;
    // The gateway counts code points.
    errors[name] = {
      start: text.slice(0, from).join("").length,
      length: text.slice(from, from + length).join("").length,
      sentence: violation.description,
    };
  }
  return Object.keys(errors).length > 0 ? { errors } : { errors, failure };
}
