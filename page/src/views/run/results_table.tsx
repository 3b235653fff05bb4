import type { ComponentChildren } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import { change, go, type Query } from "../../address";
import type { BacktestResult } from "../../api/stubs/backcast/backtest/v1/result_pb";
import { FilterField } from "../../components/fields";
import { figure } from "../../components/figure";
import { type Column, VirtualTable } from "../../components/virtual_table";
import { parseFilter } from "../../filter";
import { METRICS, metricOf } from "../../metrics";
import { nextOrder, parseOrder } from "../../order";
import { queryOf } from "../../request";
import { backtestQuery } from "../../spec";
import { strategies } from "../../state/lists";
import type { Results } from "../../state/results";
import { type RunSnapshot, run } from "../../state/run";
import { COLUMNS } from "./columns";
import { rowOrder } from "./row_order";

interface Props {
  query: Query;
  results: Results;
  version: number;
  underWay: boolean;
  /** Buttons beside the filter. */
  children: ComponentChildren;
}

/** The results, as they come or in the order of a column, and those only that the filter lets through. */
export function ResultsTable({ query, results, version, underWay, children }: Props) {
  const text = query.filter ?? "";
  const order = query.sort ?? "";
  const filter = useMemo(() => parseFilter(text), [text]);
  // The results grow; the version says when.
  const rows = useMemo(() => rowOrder(results, filter, order), [results, version, filter, order]);

  // Rows that are there already are not drawn again when results arrive.
  const keyOf = useCallback((arrival: number) => results.all[arrival]!.symbol, [results]);
  const cellOf = useCallback(
    (arrival: number, column: Column) => cell(results.all[arrival]!, column),
    [results],
  );

  return (
    <section class="results" aria-label="Results">
      <div class="row">
        <FilterField
          label="Filter the results"
          placeholder="Filter: btc, sharpe > 1, return > 10%"
          value={text}
          onChange={(filter) => change({ filter })}
          problem={filter.problem}
          shown={rows.length}
          all={results.length}
        />
        <span class="spring" />
        {order !== "" && (
          <button type="button" class="link" onClick={() => change({ sort: undefined })}>
            in order of arrival
          </button>
        )}
        {children}
      </div>
      <VirtualTable
        label="Results"
        columns={COLUMNS}
        items={rows}
        keyOf={keyOf}
        cell={cellOf}
        sorting={sortingOf(order)}
        onSort={(column) => change({ sort: nextOrder(order, column.name) })}
        onOpen={(arrival) => go("crypto", cryptoQuery(keyOf(arrival), run.peek()))}
        empty={
          text !== "" && results.length > 0
            ? "No result fulfils the filter."
            : underWay
              ? "The first result is on its way."
              : "There are no results."
        }
      />
    </section>
  );
}

function cell(result: BacktestResult, { name }: Column): ComponentChildren {
  if (name === "symbol") return result.breaks.length > 0 ? `${result.symbol}*` : result.symbol;
  if (name === "source") return result.fromCache ? <span class="quiet">cached</span> : "";
  const metric = metricOf(name);
  const shown = figure(metric, result.metrics?.[metric.field]);
  return name === "trade_count" && result.metrics?.openTradeCount ? `${shown}+1` : shown;
}

function sortingOf(order: string) {
  const { column, reversed } = parseOrder(order);
  const ascends =
    column === "symbol" || METRICS.some(({ name, smallestIsBest }) => name === column && smallestIsBest);
  return { column, descending: ascends === reversed };
}

/** The query of the view of one crypto: the backtest as it was run, whatever the form says by now. */
function cryptoQuery(symbol: string, { runId, query = {}, started }: RunSnapshot): Query {
  const spec = started?.request?.spec;
  const texts = { ...(query.entry && { entry: query.entry }), ...(query.exit && { exit: query.exit }) };
  const backtest =
    spec === undefined ? backtestQuery(query) : queryOf(spec, strategies.items.peek() ?? [], texts);
  // The run's cryptos are those of the way back.
  return { symbol, ...backtest, symbols: query.symbols, exclude: query.exclude, run: runId };
}
