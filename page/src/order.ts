/** The order of a table's rows, as in the address: a column's name, with a minus in front for the reverse. */

/** Return the column of an order, and whether it is reversed. */
export function parseOrder(order: string): { readonly column: string; readonly reversed: boolean } {
  const reversed = order.startsWith("-");
  return { column: reversed ? order.slice(1) : order, reversed };
}

/** Return the order after a click on a heading: by the column, then its reverse, then none. */
export function nextOrder(order: string, column: string): string | undefined {
  if (order === column) return `-${column}`;
  return order === `-${column}` ? undefined : column;
}

/** Compare two figures, to sort them: ascending or, with `descending`, the other way. NaN comes last in both. */
export function compareFigures(left: number, right: number, descending: boolean): number {
  if (Number.isNaN(left) || Number.isNaN(right))
    return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  if (left === right) return 0;
  const ascending = left < right ? -1 : 1;
  return descending ? -ascending : ascending;
}
