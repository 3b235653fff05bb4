import { useId, useMemo } from "preact/hooks";
import { change, type Query } from "../../address";
import { ChoiceField } from "../../components/fields";
import { type Column, VirtualTable } from "../../components/virtual_table";
import { count, counted } from "../../format";
import { METRICS, metricOf } from "../../metrics";
import type { ComparedRun } from "../../state/compared";
import {
  comparatives,
  type Differences,
  differencesOf,
  differenceText,
  judged,
  standing,
} from "./differences";
import { letter } from "./run_words";

const SHOWN = METRICS.filter(({ name }) => name !== "open_trade_count");

interface Props {
  query: Query;
  runs: readonly ComparedRun[];
  /** The crypto whose curves are shown. */
  symbol: string | undefined;
}

/** A metric of every crypto in all runs, and its differences to the first run; a row shows the curves. */
export function DifferencesTable({ query, runs, symbol }: Props) {
  const id = useId();
  const metric = SHOWN.find(({ name }) => name === query.metric) ?? metricOf("total_return");
  const search = query.search ?? "";
  const order = query.sort ?? "-d1";
  const differences = useMemo(
    () =>
      differencesOf(
        runs.map(({ results }) => results),
        metric,
      ),
    [runs, metric],
  );
  const columns = useMemo(() => columnsOf(runs.length, metric.definition), [runs.length, metric]);
  const rows = useMemo(() => rowsOf(differences, search, order), [differences, search, order]);
  const [more, less] = comparatives(metric);
  const reversed = order.startsWith("-");
  const sorted = reversed ? order.slice(1) : order;
  return (
    <section class="stack differences" aria-labelledby="differences" style={{ "--rows": rows.length }}>
      <h2 id="differences">Crypto by crypto</h2>
      {runs.slice(1).map(({ name }, index) => {
        const { common, better, worse, median } = standing(differences, index + 1, metric);
        return (
          <p key={name}>
            In the {metric.label}, {letter(index + 1)} is {more} than A on <strong>{count(better)}</strong> of{" "}
            {counted(common, "crypto")}, {less} on <strong>{count(worse)}</strong>
            {median !== undefined && (
              <>
                ; the median difference is <strong>{differenceText(metric, median)}</strong>
              </>
            )}
            .
          </p>
        );
      })}
      <div class="row">
        <ChoiceField
          label="Metric"
          value={metric.name}
          onChange={(name) => change({ metric: name === "total_return" ? undefined : name })}
          choices={SHOWN.map(({ name, label }) => ({ value: name, label }))}
        />
        <div class="field">
          <label for={id}>Cryptos</label>
          <input
            id={id}
            type="search"
            autocomplete="off"
            spellcheck={false}
            placeholder="Search: btc, eth"
            value={search}
            onInput={(event) => change({ search: event.currentTarget.value })}
          />
        </div>
      </div>
      <VirtualTable
        label="Differences"
        columns={columns}
        rowCount={rows.length}
        keyOf={(row) => differences.symbols[rows[row]!]!}
        cell={(row, { name }) => {
          const at = rows[row]!;
          if (name === "symbol") return differences.symbols[at]!;
          const value = valueAt(differences, name, at);
          if (!name.startsWith("d")) return metric.show(value);
          return <span class={judged(metric, value)}>{differenceText(metric, value)}</span>;
        }}
        selected={symbol}
        sorting={{ column: sorted, descending: reversed }}
        onSort={({ name }) => change({ sort: order === `-${name}` ? name : `-${name}` })}
        onOpen={(row) => change({ crypto: differences.symbols[rows[row]!] })}
        empty={search === "" ? "There are no results." : `No crypto has "${search}" in its symbol.`}
      />
    </section>
  );
}

function columnsOf(runCount: number, help: string): Column[] {
  const indexes = Array.from({ length: runCount }, (_, index) => index);
  return [
    { name: "symbol", heading: "Crypto", width: 120, left: true },
    ...indexes.map((index) => ({ name: `v${index}`, heading: letter(index), width: 84, help })),
    ...indexes.slice(1).map((index) => ({
      name: `d${index}`,
      heading: `${letter(index)} − A`,
      width: 84,
      help: `${letter(index)} minus A. ${help}`,
    })),
  ];
}

/** The value of a column: v1 is that of the second run, d1 its difference to the first one. */
function valueAt({ values }: Differences, column: string, at: number): number {
  const own = values[Number(column.slice(1))]?.[at] ?? Number.NaN;
  return column.startsWith("d") ? own - values[0]![at]! : own;
}

function rowsOf(differences: Differences, search: string, order: string): number[] {
  const { symbols } = differences;
  const words = search.toUpperCase().split(/[\s,;]+/);
  const found = [...symbols.keys()].filter((at) => words.some((word) => symbols[at]!.includes(word)));
  const reversed = order.startsWith("-");
  const name = reversed ? order.slice(1) : order;
  const sign = reversed ? -1 : 1;
  if (name === "symbol") return reversed ? found.reverse() : found;
  return found.sort((a, b) => {
    const [left, right] = [valueAt(differences, name, a), valueAt(differences, name, b)];
    // What is undefined comes last in both orders.
    if (Number.isNaN(left) || Number.isNaN(right))
      return Number(Number.isNaN(left)) - Number(Number.isNaN(right)) || a - b;
    return sign * (left - right) || a - b;
  });
}
