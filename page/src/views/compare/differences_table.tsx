import { useCallback, useMemo } from "preact/hooks";
import { figure } from "../../components/figure";
import { type Column, VirtualTable } from "../../components/virtual_table";
import type { MetricInfo } from "../../metrics";
import { compareFigures, parseOrder } from "../../order";
import type { SideResults } from "./use_sides";

interface Props {
  readonly sides: readonly { readonly slot: string; readonly name: string; readonly results: SideResults }[];
  readonly metric: MetricInfo;
  readonly selected: string | undefined;
  readonly onSelect: (symbol: string) => void;
  readonly sort: string | undefined;
  readonly onSort: (sort: string) => void;
}

interface Row {
  readonly symbol: string;
  /** The metric of each run, then the last run's minus the first one's. NaN: undefined. */
  readonly values: readonly number[];
}

/** A metric of each crypto in each run, and the difference between the last run and the first. */
export function DifferencesTable({ sides, metric, selected, onSelect, sort = "-difference", onSort }: Props) {
  const rows = useMemo(() => rowsOf(sides, metric), [sides, metric]);
  const columns = useMemo<Column[]>(
    () => [
      { name: "symbol", heading: "Crypto", width: 120, left: true },
      ...sides.map(({ slot, name }) => ({ name: slot, heading: slot.toUpperCase(), help: name, width: 110 })),
      {
        name: "difference",
        heading: `${sides.at(-1)?.slot.toUpperCase()} − ${sides[0]?.slot.toUpperCase()}`,
        help: "The last run minus the first one.",
        width: 110,
      },
    ],
    [sides],
  );
  const { column, reversed } = parseOrder(sort);
  const ordered = useMemo(() => inOrder(rows, columns, column, reversed), [rows, columns, column, reversed]);
  const cell = useCallback(
    ({ symbol, values }: Row, { name }: Column) => {
      if (name === "symbol") return symbol;
      return figure(metric, values[columns.findIndex((column) => column.name === name) - 1]);
    },
    [columns, metric],
  );
  return (
    <VirtualTable
      label="Cryptos"
      columns={columns}
      items={ordered}
      keyOf={symbolOf}
      cell={cell}
      selected={selected}
      sorting={{ column, descending: reversed }}
      onSort={({ name }) => onSort(sort === `-${name}` ? name : `-${name}`)}
      onOpen={({ symbol }) => onSelect(symbol)}
      empty="No crypto has a result in these runs yet."
    />
  );
}

const symbolOf = ({ symbol }: { readonly symbol: string }) => symbol;

function rowsOf(sides: Props["sides"], { field }: MetricInfo): Row[] {
  const symbols = new Set(sides.flatMap(({ results }) => [...results.metrics.keys()]));
  return [...symbols].sort().map((symbol) => {
    const values = sides.map(({ results }) => results.metrics.get(symbol)?.[field] ?? Number.NaN);
    return { symbol, values: [...values, (values.at(-1) ?? Number.NaN) - (values[0] ?? Number.NaN)] };
  });
}

function inOrder(
  rows: readonly Row[],
  columns: readonly Column[],
  column: string,
  descending: boolean,
): Row[] {
  const index = columns.findIndex(({ name }) => name === column) - 1;
  if (index < 0) return descending ? [...rows].reverse() : [...rows];
  return [...rows].sort((left, right) =>
    compareFigures(left.values[index]!, right.values[index]!, descending),
  );
}
