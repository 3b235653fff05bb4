/** Where a combination of a sweep leads: the view Run, or that of one crypto, with the sweep as it was made. */

import type { Query } from "../../address";
import { queryOf } from "../../request";
import { strategies } from "../../state/lists";
import type { SweepSnapshot } from "../../state/sweep";
import { filledIn } from "./placeholders";

/** Return the query of a combination on the sweep's cryptos, whatever the form says by now. */
export function combinationQuery(
  { request, started, texts }: SweepSnapshot,
  values: Readonly<Record<string, string>>,
): Query {
  const spec = started?.request?.spec;
  const described = strategies.items.peek() ?? [];
  const isRules = spec?.strategy?.kind.case === "rules";
  return {
    ...(spec && queryOf(spec, described)),
    ...(isRules
      ? { entry: filledIn(texts.entry, values), exit: filledIn(texts.exit, values) }
      : Object.fromEntries(Object.entries(values).map(([name, value]) => [`p.${name}`, value]))),
    symbols: request?.symbols.join(","),
    exclude: request?.exclude.join(","),
  };
}

/** Return the swept values of a combination as text. */
export function sweptValues(
  { table }: SweepSnapshot,
  valueIndexes: readonly number[],
): Record<string, string> {
  const places = table?.placesOf(valueIndexes) ?? [];
  return Object.fromEntries(
    (table?.axes ?? []).map(({ name, values }, index) => [name, String(values[places[index]!] ?? "")]),
  );
}

/** fast 10, slow 50 */
export function valueWords(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}
