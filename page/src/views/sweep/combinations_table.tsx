import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { change, go, type Query } from "../../address";
import { figure } from "../../components/figure";
import { type Column, VirtualTable } from "../../components/virtual_table";
import { count, counted, decimal } from "../../format";
import { type MetricInfo, metricOf } from "../../metrics";
import { nextOrder, parseOrder } from "../../order";
import type { SweepSnapshot } from "../../state/sweep";
import type { SweepTable } from "../../state/sweep_table";
import { combinationQuery } from "./links";
import { columnOf, ordered, type Ranking, tradesTooLittle } from "./ranking";

interface Props {
  query: Query;
  shown: SweepSnapshot;
  table: SweepTable;
  ranking: Ranking;
}

/** All combinations, best first or in the order of a column; Enter or a click runs one. */
export function CombinationsTable({ query, shown, table, ranking }: Props) {
  const order = query.sort ?? "";
  const rows = useMemo(
    () => ordered(table, ranking, order),
    [table, table.length, ranking.metric, ranking.minTrades, order],
  );
  const columns = useMemo(() => columnsOf(table, ranking.metric), [table, ranking.metric]);
  const cryptoCount = shown.started?.request?.symbols.length ?? 0;
  const cell = (row: number, { name }: Column): ComponentChildren => {
    const axis = table.axes.findIndex((one) => `p.${one.name}` === name);
    if (axis >= 0) return String(table.axes[axis]!.values[table.places[axis]![row]!]);
    if (name === "traded")
      return `${table.traded[row]}${table.test ? ` / ${table.tradedTest[row]}` : ""} of ${cryptoCount}`;
    const value = columnOf(table, name)[0]![row]!;
    if (name === "median_trades") {
      const text = Number.isInteger(value) ? count(value) : decimal(value);
      return tradesTooLittle(table, row, ranking) ? <span class="quiet">{text}</span> : text;
    }
    const metric = metricOf(name.replace(/^test\./, ""));
    return figure(metric, value);
  };
  const { column: sorted, reversed } = parseOrder(order);
  return (
    <section class="stack combinations" aria-labelledby="combinations" style={{ "--rows": rows.length }}>
      <div class="row">
        <h2 id="combinations">{counted(table.length, "combination")}</h2>
        <span class="quiet">
          {shown.started?.request?.cut.case === "foldCount"
            ? "Medians over the cryptos of means over the folds."
            : "Medians over the cryptos."}{" "}
          A row opens in Run.
        </span>
        <span class="spring" />
        {order !== "" && (
          <button type="button" class="link" onClick={() => change({ sort: undefined })}>
            best first
          </button>
        )}
      </div>
      <VirtualTable
        label="Combinations"
        columns={columns}
        items={rows}
        keyOf={String}
        cell={cell}
        selected={query.pick}
        sorting={{ column: sorted, descending: columnOf(table, sorted)[1] === reversed }}
        onSort={({ name }) => change({ sort: nextOrder(order, name) })}
        onOpen={(row) => go("run", combinationQuery(shown, table.valuesOf(row)))}
        empty="No combination could be backtested."
      />
    </section>
  );
}

function columnsOf(table: SweepTable, rank: MetricInfo): Column[] {
  const metrics = [...new Set([rank, ...["total_return", "sharpe_ratio", "max_drawdown"].map(metricOf)])];
  return [
    ...table.axes.map(({ name }) => ({
      name: `p.${name}`,
      heading: name.replaceAll("_", " "),
      width: Math.max(72, 9 * name.length + 24),
      left: true,
    })),
    ...metrics.flatMap(({ name, heading, definition }) => [
      { name, heading, help: definition, width: Math.max(88, 9 * heading.length + 24) },
      ...(table.test
        ? [
            {
              name: `test.${name}`,
              heading: `${heading}, test`,
              help: definition,
              width: 9 * heading.length + 64,
            },
          ]
        : []),
    ]),
    {
      name: "median_trades",
      heading: "Trades",
      help: "Median over the cryptos of the number of trades in the train part.",
      width: 80,
    },
    {
      name: "traded",
      heading: "Traded",
      help: "Number of cryptos with a trade in the train part and, after the stroke, in the test part.",
      width: table.test ? 128 : 96,
    },
  ];
}
