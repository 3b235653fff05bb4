/** How far a run or a sweep is, as the page sees it. `waiting`: its stream broke, and it is tried again. */
export type Phase = "idle" | "running" | "waiting" | "completed" | "cancelled" | "failed";

export function isUnderWay({ phase }: { readonly phase: Phase }): boolean {
  return phase === "running" || phase === "waiting";
}
