import type { ComponentChildren } from "preact";
import { useCallback, useId, useMemo } from "preact/hooks";
import { address, change, go, type Query } from "../../address";
import type { BacktestResult } from "../../api/stubs/backcast/backtest/v1/result_pb";
import type { RunStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import { type Column, VirtualTable } from "../../components/virtual_table";
import { parseFilter } from "../../filter";
import { count } from "../../format";
import { METRICS } from "../../metrics";
import { queryOf } from "../../request";
import { backtestQuery } from "../../spec";
import { strategies } from "../../state/lists";
import type { Results } from "../../state/results";
import { COLUMNS } from "./columns";
import { rowOrder } from "./row_order";

interface Props {
  query: Query;
  results: Results;
  version: number;
  underWay: boolean;
  started: RunStarted | undefined;
  /** Buttons beside the filter. */
  children: ComponentChildren;
}

const BY_NAME = new Map(METRICS.map((metric) => [metric.name, metric]));

/** The results, as they come or in the order of a column, and those only that the filter lets through. */
export function ResultsTable({ query, results, version, underWay, started, children }: Props) {
  const id = useId();
  const text = query.filter ?? "";
  const order = query.sort ?? "";
  const filter = useMemo(() => parseFilter(text), [text]);
  // The results grow; the version says when.
  const rows = useMemo(() => rowOrder(results, filter, order), [results, version, filter, order]);

  const keyOf = useCallback((row: number) => results.all[rows[row]!]!.symbol, [results, rows]);
  const cellOf = useCallback(
    (row: number, column: Column) => cell(results.all[rows[row]!]!, column),
    [results, rows],
  );
  const open = useCallback(
    (row: number) =>
      go("crypto", cryptoQuery(results.all[rows[row]!]!.symbol, address.peek().query, started)),
    [results, rows, started],
  );

  return (
    <section class="results" aria-label="Results">
      <div class="row">
        <label class="unseen" for={id}>
          Filter the results
        </label>
        <input
          id={id}
          type="search"
          class="filter"
          autocomplete="off"
          spellcheck={false}
          placeholder="Filter: btc, sharpe > 1, return > 10%"
          value={text}
          aria-invalid={filter.problem !== ""}
          aria-describedby={`${id}-says`}
          onInput={(event) => change({ filter: event.currentTarget.value })}
        />
        <span id={`${id}-says`} class={filter.problem === "" ? "quiet" : "problem"} aria-live="polite">
          {filter.problem || (text === "" ? "" : `${count(rows.length)} of ${count(results.length)}`)}
        </span>
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
        rowCount={rows.length}
        keyOf={keyOf}
        cell={cellOf}
        sorting={sortingOf(order)}
        onSort={(column) => change({ sort: nextOrder(order, column.name) })}
        onOpen={open}
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
  const metric = BY_NAME.get(name)!;
  const value = result.metrics?.[metric.field];
  const shown = metric.show(value);
  if (name === "trade_count" && result.metrics?.openTradeCount) return `${shown}+1`;
  if (!metric.signed || value === undefined) return shown;
  const kind = shown.startsWith("+") ? "gain" : shown.startsWith("−") ? "loss" : undefined;
  return kind === undefined ? shown : <span class={kind}>{shown}</span>;
}

function sortingOf(order: string) {
  const reversed = order.startsWith("-");
  const column = reversed ? order.slice(1) : order;
  const ascends = column === "symbol" || BY_NAME.get(column)?.smallestIsBest === true;
  return { column, descending: ascends === reversed };
}

/** A heading sorts the best first, then the worst first, then as the results arrived. */
function nextOrder(order: string, name: string): string | undefined {
  if (order === name) return `-${name}`;
  return order === `-${name}` ? undefined : name;
}

/** The query of the view of one crypto: the backtest as it was run, whatever the form says by now. */
function cryptoQuery(symbol: string, query: Query, started: RunStarted | undefined): Query {
  const spec = started?.request?.spec;
  const texts = { ...(query.entry && { entry: query.entry }), ...(query.exit && { exit: query.exit }) };
  const backtest =
    spec === undefined ? backtestQuery(query) : queryOf(spec, strategies.items.peek() ?? [], texts);
  return { symbol, ...backtest, ...(query.run && { run: query.run }) };
}
