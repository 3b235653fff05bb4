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

/** Parses the two texts of a strategy. */
export class RuleParser {
  private readonly last = signal<ParsedRules | undefined>(undefined);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = new AbortController();

  /** The texts that were parsed last. */
  get value(): ParsedRules | undefined {
    return this.last.value;
  }

  /** Parse two texts for candles of some length once nothing has been typed for a moment. */
  parseSoon(entry: string, exit: string, length?: string): void {
    clearTimeout(this.timer);
    this.asked.abort();
    if (this.known(entry, exit, length)) return;
    this.timer = setTimeout(() => void this.parse(entry, exit, length), PAUSE_MS);
  }

  /** Parse two texts now; return undefined if something else was asked for meanwhile. */
  async parse(entry: string, exit: string, length?: string): Promise<ParsedRules | undefined> {
    clearTimeout(this.timer);
    const known = this.known(entry, exit, length);
    if (known !== undefined) return known;
    this.asked.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    if (entry.trim() === "") {
      const nothing = { entry, exit, length, errors: {} };
      this.last.value = nothing;
      return nothing;
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
    this.last.value = parsed;
    return parsed;
  }

  private known(entry: string, exit: string, length: string | undefined): ParsedRules | undefined {
    const last = this.last.peek();
    const isIt =
      last !== undefined &&
      last.entry === entry &&
      last.exit === exit &&
      last.length === length &&
      last.failure === undefined;
    return isIt ? last : undefined;
  }
}

const parsers: RuleParser[] = [];

/** The parser of a form's strategy, counted from 0: all but portfolios have one. */
export function parserOf(index: number): RuleParser {
  parsers[index] ??= new RuleParser();
  return parsers[index];
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
