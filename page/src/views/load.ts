/** The views, each in a file of its own, which the browser loads when the view is first shown. */

import { Code, ConnectError } from "@connectrpc/connect";
import type { ComponentType } from "preact";
import type { View } from "../address";

const FILES: Readonly<Record<View, () => Promise<{ default: ComponentType }>>> = {
  run: () => import("./run"),
  crypto: () => import("./crypto"),
  portfolio: () => import("./portfolio"),
  sweep: () => import("./sweep"),
  compare: () => import("./compare"),
  runs: () => import("./runs"),
  data: () => import("./data"),
};

/** The views that are there. They stay when they are left. */
const loaded: Partial<Record<View, ComponentType>> = {};

/** Return a view; undefined if it has to be loaded. */
export function loadedView(view: View): ComponentType | undefined {
  return loaded[view];
}

/**
 * Load a view.
 *
 * Throw what explain() takes for a server that is away if no server answers. If one does, the file is not there: it is
 * named after its content, so a server of another version has another one, and only a reload helps.
 */
export async function loadView(view: View): Promise<ComponentType> {
  try {
    loaded[view] = (await FILES[view]()).default;
    return loaded[view];
  } catch (error) {
    const answer = await fetch("/healthz", { cache: "no-store" });
    throw answer.ok
      ? new ConnectError("this view could not be loaded", Code.NotFound)
      : new ConnectError("the server of this page does not answer", Code.Unavailable, {}, [], error);
  }
}
