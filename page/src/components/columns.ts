/** The columns of a table, and which of them are in view. */

export interface Column {
  readonly name: string;
  readonly heading: string;
  /** What the heading means, for those who point at it. */
  readonly help?: string;
  /** The width in pixels; the first column takes what is left. */
  readonly width: number;
  readonly left?: boolean;
  /** True if the column cannot be sorted by. */
  readonly unordered?: boolean;
}

/** A column that is drawn, and its place among all columns, from 1 on. */
export interface PlacedColumn {
  readonly column: Column;
  readonly place: number;
}

/** Pixels beyond the edges, so that scrolling shows no gap before the next frame. */
const BEYOND = 200;

/**
 * Return the columns of which something is seen in `width` pixels from `left` on, and some beside them. The first
 * column is always seen: it stays where it is while the others scroll.
 */
export function columnsInView(columns: readonly Column[], left: number, width: number): PlacedColumn[] {
  const seen: PlacedColumn[] = [];
  let start = 0;
  for (const [index, column] of columns.entries()) {
    const end = start + column.width;
    if (index === 0 || (end > left - BEYOND && start < left + width + BEYOND))
      seen.push({ column, place: index + 1 });
    start = end;
  }
  return seen;
}

/** Return the columns' widths as CSS has them. */
export function template(columns: readonly Column[]): string {
  return columns
    .map(({ width }, index) => (index === 0 ? `minmax(${width}px, 1fr)` : `${width}px`))
    .join(" ");
}
