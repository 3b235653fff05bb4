/**
 * A table of any number of rows and columns, of which only those that are seen exist.
 *
 * It is a grid for the keyboard and for screen readers, and one tab stop: arrows, Page Up and Down, Home and End move
 * through the rows, Enter opens one. Arrow Up from the first row leads to the headings, among which the left and right
 * arrows, Home and End move, and Enter sorts.
 */

import { Component, type ComponentChildren } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Column, columnsInView, type PlacedColumn, template } from "./columns";

export type { Column } from "./columns";

export interface Sorting {
  readonly column: string;
  readonly descending: boolean;
}

interface Props<Item> {
  /** What the table has, for screen readers. */
  label: string;
  columns: readonly Column[];
  /** What the rows show, in their order. */
  items: ArrayLike<Item>;
  /** Identifies an item, so that the selection stays with it when the order changes. */
  keyOf: (item: Item) => string;
  /** What a cell shows. A row is drawn anew when its item or this function is another one, and only then. */
  cell: (item: Item, column: Column) => ComponentChildren;
  /** The key of a row that is chosen elsewhere: it becomes the active one, and is scrolled to. */
  selected?: string | undefined;
  sorting?: Sorting;
  onSort?: (column: Column) => void;
  onOpen?: (item: Item) => void;
  /** Shown in place of rows if there are none. */
  empty: string;
}

const ROW = 28;
/** Rows beyond the edges, so that scrolling shows no gap before the next frame. */
const BEYOND = 8;

export function VirtualTable<Item>({
  label,
  columns,
  items,
  keyOf,
  cell,
  selected,
  sorting,
  onSort,
  onOpen,
  empty,
}: Props<Item>) {
  const rowCount = items.length;
  const scroller = useRef<HTMLDivElement>(null);
  const [{ top, left }, setPosition] = useState({ top: 0, left: 0 });
  const [{ height, width }, setSize] = useState({ height: 600, width: 800 });
  const [active, setActive] = useState("");
  /** The place of the heading that the keyboard is at; undefined while it is at a row. */
  const [heading, setHeading] = useState<number>();

  useLayoutEffect(() => {
    const element = scroller.current!;
    const measure = () => setSize({ height: element.clientHeight, width: element.clientWidth });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  useScrolling(scroller, setPosition);

  const first = Math.max(0, Math.min(Math.floor(top / ROW) - BEYOND, rowCount));
  const last = Math.min(rowCount, Math.ceil((top + height) / ROW) + BEYOND);
  const slots = Math.ceil(height / ROW) + 2 * BEYOND + 1;
  const seen = Array.from({ length: Math.max(last - first, 0) }, (_, index) => first + index);
  const activeRow = active === "" ? -1 : seen.find((row) => keyOf(items[row]!) === active);
  const inView = columnsInView(columns, left, width);
  // Rows are drawn anew where they get other columns.
  const drawn = useMemo(() => inView, [columns, inView.map(({ place }) => place).join()]);
  const tracks = useMemo(() => template(columns), [columns]);
  const minWidth = columns.reduce((sum, { width }) => sum + width, 0);

  const goToHeading = (place: number) => {
    const next = Math.max(0, Math.min(place, columns.length - 1));
    setHeading(next);
    showHeading(scroller.current!, next);
  };
  const sort = useRef(onSort);
  sort.current = onSort;
  // Results that arrive change rows, and nothing of the headings.
  const head = useMemo(
    () => (
      <div
        class="grid-row grid-head"
        role="row"
        aria-rowindex={1}
        style={{ gridTemplateColumns: template(columns) }}
      >
        {columns.map((column, place) => (
          <Heading
            key={column.name}
            id={headingId(label, column)}
            column={column}
            isActive={place === heading}
            sorting={sorting}
            onSort={
              onSort &&
              (() => {
                // The keys go on from the heading that was clicked.
                goToHeading(place);
                scroller.current?.focus({ preventScroll: true });
                sort.current?.(column);
              })
            }
          />
        ))}
      </div>
    ),
    [label, columns, heading, sorting?.column, sorting?.descending, onSort === undefined],
  );

  const opened = useRef(onOpen);
  opened.current = onOpen;
  const open = useCallback(
    (item: Item) => {
      setActive(keyOf(item));
      opened.current?.(item);
    },
    [keyOf],
  );

  const moveTo = (row: number) => {
    const next = Math.max(0, Math.min(row, rowCount - 1));
    setHeading(undefined);
    setActive(keyOf(items[next]!));
    const element = scroller.current!;
    const above = next * ROW;
    const room = element.clientHeight - ROW;
    if (above < element.scrollTop) element.scrollTop = above;
    else if (above + ROW > element.scrollTop + room) element.scrollTop = above + ROW - room;
  };

  useLayoutEffect(() => {
    const row = selected === undefined ? -1 : rowOf(selected, items, keyOf, undefined);
    if (row >= 0) moveTo(row);
  }, [selected, rowCount]);

  const onHeadingKey = (place: number, key: string): boolean => {
    const moves: Readonly<Record<string, number>> = {
      ArrowRight: place + 1,
      ArrowLeft: place - 1,
      Home: 0,
      End: columns.length - 1,
    };
    const next = moves[key];
    if (next !== undefined) goToHeading(next);
    else if (key === "Enter" || key === " ") !columns[place]!.unordered && onSort?.(columns[place]!);
    else if (key === "ArrowDown" && rowCount > 0) moveTo(0);
    else return false;
    return true;
  };
  const onRowKey = (key: string): boolean => {
    const page = Math.max(1, Math.floor(height / ROW) - 2);
    const row = active === "" ? -1 : rowOf(active, items, keyOf, activeRow);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: row + 1,
      ArrowUp: row - 1,
      PageDown: row + page,
      PageUp: row - page,
      Home: 0,
      End: rowCount - 1,
    };
    const next = moves[key];
    if (key === "ArrowUp" && row <= 0) goToHeading(0);
    else if (next !== undefined && rowCount > 0) moveTo(next);
    else if (key === "Enter" && row >= 0) onOpen?.(items[row]!);
    else return false;
    return true;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // With Ctrl or Alt, a key is the browser's.
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (heading === undefined ? onRowKey(event.key) : onHeadingKey(heading, event.key))
      event.preventDefault();
  };
  const activeId =
    heading !== undefined
      ? headingId(label, columns[heading]!)
      : activeRow !== undefined && activeRow >= 0
        ? rowId(label, activeRow)
        : undefined;

  return (
    <div
      class="grid"
      role="grid"
      aria-label={label}
      aria-rowcount={rowCount + 1}
      aria-colcount={columns.length}
      aria-activedescendant={activeId}
      tabIndex={0}
      ref={scroller}
      onKeyDown={onKeyDown}
      onBlur={() => setHeading(undefined)}
    >
      <div class="grid-body" style={{ minWidth: `${minWidth}px`, height: `${ROW * (rowCount + 1)}px` }}>
        {head}
        {seen.map((row) => (
          // Elements are used again for other rows: to change text costs less than to make elements.
          <Row
            key={row % slots}
            id={rowId(label, row)}
            row={row}
            item={items[row]!}
            isActive={row === activeRow}
            columns={drawn}
            tracks={tracks}
            cell={cell}
            onOpen={open}
          />
        ))}
      </div>
      {rowCount === 0 && <p class="grid-empty quiet">{empty}</p>}
    </div>
  );
}

interface RowProps<Item> {
  id: string;
  row: number;
  item: Item;
  isActive: boolean;
  columns: readonly PlacedColumn[];
  tracks: string;
  cell: (item: Item, column: Column) => ComponentChildren;
  onOpen: (item: Item) => void;
}

/** A row that is drawn anew only if something of it is another. */
class Row<Item> extends Component<RowProps<Item>> {
  override shouldComponentUpdate(next: RowProps<Item>): boolean {
    const { props } = this;
    return (Object.keys(next) as (keyof RowProps<Item>)[]).some((name) => next[name] !== props[name]);
  }

  override render({ id, row, item, isActive, columns, tracks, cell, onOpen }: RowProps<Item>) {
    return (
      <div
        id={id}
        class={isActive ? "grid-row opens active" : "grid-row opens"}
        role="row"
        aria-rowindex={row + 2}
        aria-selected={isActive}
        style={{ gridTemplateColumns: tracks, transform: `translateY(${ROW * (row + 1)}px)` }}
        onClick={() => onOpen(item)}
      >
        {columns.map(({ column, place }) => (
          <div
            key={column.name}
            class={column.left ? "left" : undefined}
            role="gridcell"
            aria-colindex={place}
            style={{ gridColumn: place }}
          >
            {cell(item, column)}
          </div>
        ))}
      </div>
    );
  }
}

/** The heading of a column. Its button is for the pointer; the keyboard is at the grid. */
function Heading({
  id,
  column,
  isActive,
  sorting,
  onSort,
}: {
  id: string;
  column: Column;
  isActive: boolean;
  sorting: Sorting | undefined;
  onSort: (() => void) | undefined;
}) {
  const sortable = onSort !== undefined && !column.unordered;
  const sorted = sorting?.column === column.name;
  const order = sorted ? (sorting.descending ? "descending" : "ascending") : undefined;
  return (
    <div
      id={id}
      class={`${column.left ? "left" : ""} ${isActive ? "active" : ""}`.trim() || undefined}
      role="columnheader"
      aria-sort={sortable ? (order ?? "none") : undefined}
      title={column.help}
    >
      {!sortable ? (
        column.heading
      ) : (
        <button type="button" class="heading" tabIndex={-1} onClick={onSort}>
          {column.heading}
          <span aria-hidden="true">{order === undefined ? "" : order === "descending" ? " ▾" : " ▴"}</span>
        </button>
      )}
    </div>
  );
}

/** Scroll sideways to a heading, which the first column may hide: it stays where it is. */
function showHeading(scroller: HTMLElement, place: number): void {
  const headings = scroller.querySelectorAll<HTMLElement>("[role=columnheader]");
  const { offsetLeft, offsetWidth } = headings[place]!;
  const hidden = headings[0]!.offsetWidth;
  if (place === 0) scroller.scrollLeft = 0;
  else if (offsetLeft - hidden < scroller.scrollLeft) scroller.scrollLeft = offsetLeft - hidden;
  else if (offsetLeft + offsetWidth > scroller.scrollLeft + scroller.clientWidth)
    scroller.scrollLeft = offsetLeft + offsetWidth - scroller.clientWidth;
}

/** Tell the position of a scroller, at most once a frame. */
function useScrolling(
  scroller: { current: HTMLElement | null },
  tell: (position: { top: number; left: number }) => void,
): void {
  useEffect(() => {
    const element = scroller.current!;
    let asked = 0;
    const onScroll = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        tell({ top: element.scrollTop, left: element.scrollLeft });
      });
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      cancelAnimationFrame(asked);
      element.removeEventListener("scroll", onScroll);
    };
  }, [scroller, tell]);
}

function rowOf<Item>(
  key: string,
  items: ArrayLike<Item>,
  keyOf: (item: Item) => string,
  seen: number | undefined,
): number {
  if (seen !== undefined && seen >= 0) return seen;
  for (let row = 0; row < items.length; row++) if (keyOf(items[row]!) === key) return row;
  return -1;
}

function headingId(label: string, { name }: Column): string {
  return `${label.replaceAll(/\W+/g, "-")}-by-${name}`;
}

function rowId(label: string, row: number): string {
  return `${label.replaceAll(/\W+/g, "-")}-${row}`;
}
