/**
 * The address of the page: its path is the view, its query is the view's state.
 *
 * A link, a reload and the browser's back button restore what is shown, as there is no other state that would
 * have to be restored: what is typed in a form is in the query too, as it was typed.
 */

import { signal } from "@preact/signals";

const VIEWS = ["run", "crypto", "portfolio", "sweep", "compare", "runs", "data"] as const;
export type View = (typeof VIEWS)[number];

/** The query: text by name. A name that is not set is absent. */
export type Query = Readonly<Record<string, string | undefined>>;

export interface Address {
  readonly view: View;
  readonly query: Query;
}

/** The query that each view had last. */
const left: Partial<Record<View, Query>> = {};

const current = signal<Address>(read());

/** The address that is shown. Components that read it are drawn anew when it changes. */
export const address: { readonly value: Address; peek(): Address } = current;

/** Return the link to a view as it was when it was left, or as it is without a query. */
export function hrefOfView(view: View): string {
  return href(view, left[view]);
}

/** Return the link to a view with a query. */
export function href(view: View, query: Query = {}): string {
  // These characters stand in a query as they are, and links are easier to read with them.
  const text = encode(query).replace(/%(2C|3A|2F|25(?![0-9A-F]{2}))/gi, (code) =>
    code.length > 3 ? code : decodeURIComponent(code),
  );
  const path = view === "run" ? "/" : `/${view}`;
  return text === "" ? path : `${path}?${text}`;
}

/** Show a view, as if its link had been followed; with `replace`, in place of what is shown. */
export function go(view: View, query: Query = {}, { replace = false } = {}): void {
  if (replace) history.replaceState(null, "", href(view, query));
  else history.pushState(null, "", href(view, query));
  current.value = read();
}

/**
 * Change names of the query; undefined and the empty text remove a name.
 *
 * Typing replaces the address, so that "back" does not undo single characters; `push` makes a new entry.
 */
export function change(changes: Query, { push = false } = {}): void {
  const { view, query } = current.peek();
  go(view, { ...query, ...changes }, { replace: !push });
}

/** Name a run that is started anew by its new id, in the address and in those that the views were left with. */
export function rename(runId: string, newId: string): void {
  const renamed = (query: Query): Query =>
    Object.fromEntries(Object.entries(query).map(([name, value]) => [name, value === runId ? newId : value]));
  for (const [view, query] of Object.entries(left)) left[view as View] = renamed(query);
  const { view, query } = current.peek();
  go(view, renamed(query), { replace: true });
}

/** Follow a click on a link of the page without loading the page anew. */
export function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (link == null || link.target !== "" || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || viewOf(link.pathname) === undefined) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  current.value = read();
  scrollTo(0, 0);
}

addEventListener("popstate", () => {
  current.value = read();
});

function read(): Address {
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(location.search)) query[name] = value;
  const view = viewOf(location.pathname) ?? "run";
  left[view] = query;
  return { view, query };
}

function viewOf(path: string): View | undefined {
  const name = path === "/" ? "run" : path.slice(1);
  return VIEWS.find((view) => view === name);
}

/** Return a query as the text of an address, without what is not set. */
export function encode(query: Query): string {
  const set = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  return new URLSearchParams(set).toString();
}
