/**
 * What was started in this tab: runs and sweeps by their ids, and runs that are compared as the address has them.
 *
 * Only that starts again by itself, after a reload or by the back button. Anybody can write a link and send a browser
 * to it, so what a link names is started by a button.
 */

import { signal } from "@preact/signals";

const STORED_AS = "backcast-started";
/** Older ones are forgotten, and started by a button too. */
const MOST = 300;

const started = signal<ReadonlySet<string>>(new Set(sessionStorage.getItem(STORED_AS)?.split("\n")));

/** Return whether a run, a sweep or a side of a comparison was started in this tab. */
export function isStartedHere(what: string): boolean {
  return started.value.has(what);
}

/** Note that something is started in this tab. */
export function noteStarted(...what: readonly string[]): void {
  started.value = new Set([...started.peek(), ...what].slice(-MOST));
  try {
    sessionStorage.setItem(STORED_AS, [...started.peek()].join("\n"));
  } catch {
    // There is no room for it. A reload asks again.
  }
}
