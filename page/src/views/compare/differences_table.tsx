import { useCallback, useMemo } from "preact/hooks";
import { type Column, type Sorting, VirtualTable } from "../../components/virtual_table";
import type { MetricInfo } from "../../metrics";
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
  const sorting = useMemo<Sorting>(
    () => ({ column: sort.replace(/^-/, ""), descending: sort.startsWith("-") }),
    [sort],
  );
  const ordered = useMemo(() => inOrder(rows, columns, sorting), [rows, columns, sorting]);
  const keyOf = useCallback((row: number) => ordered[row]?.symbol ?? "", [ordered]);
  const cell = useCallback(
    (row: number, { name }: Column) => {
      const { symbol, values } = ordered[row] as Row;
      if (name === "symbol") return symbol;
      const value = values[columns.findIndex((column) => column.name === name) - 1] as number;
      const text = metric.show(value);
      if (!metric.signed || !value) return text;
      return <span class={value < 0 ? "loss" : "gain"}>{text}</span>;
    },
    [ordered, columns, metric],
  );
  return (
    <VirtualTable
      label="Cryptos"
      columns={columns}
      rowCount={ordered.length}
      keyOf={keyOf}
      cell={cell}
      selected={selected}
      sorting={sorting}
      onSort={({ name }) => onSort(sort === `-${name}` ? name : `-${name}`)}
      onOpen={(row) => onSelect(keyOf(row))}
      empty="No crypto has a result in these runs yet."
    />
  );
}

function rowsOf(sides: Props["sides"], { field }: MetricInfo): Row[] {
  const symbols = new Set(sides.flatMap(({ results }) => [...results.metrics.keys()]));
  return [...symbols].sort().map((symbol) => {
    const values = sides.map(({ results }) => results.metrics.get(symbol)?.[field] ?? Number.NaN);
    return { symbol, values: [...values, (values.at(-1) ?? Number.NaN) - (values[0] ?? Number.NaN)] };
  });
}

function inOrder(rows: readonly Row[], columns: readonly Column[], { column, descending }: Sorting): Row[] {
  const index = columns.findIndex(({ name }) => name === column) - 1;
  const sign = descending ? -1 : 1;
  if (index < 0) return descending ? [...rows].reverse() : [...rows];
  return [...rows].sort((left, right) => {
    const [one, other] = [left.values[index] as number, right.values[index] as number];
    if (Number.isNaN(one) || Number.isNaN(other))
      return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
    return sign * (one - other);
  });
}
