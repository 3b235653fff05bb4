/**
 * The one stream of the tab: browsers allow six connections to a server, over all of its tabs.
 *
 * A stream that is wanted while another one is open waits for its end, or preempts it if its own priority is higher.
 * What was preempted asks again for the stream, and goes on with what it does not have yet.
 */

/** The run or the sweep of the page, which goes on while other views are shown. */
export const BACKGROUND = 0;
/** The runs that the view Compare shows. */
export const COMPARED = 1;
/** What a view waits for and what ends soon, such as candles. Nothing preempts it. */
export const BRIEF = 2;

/** Thrown where a stream was preempted. */
export class Preempted extends Error {}

interface Claim {
  readonly priority: number;
  readonly preempted: AbortController;
  readonly grant: () => void;
}

/** The claim that has the stream, and those that wait for it, in the order in which they came. */
let holder: Claim | undefined;
let waiting: readonly Claim[] = [];

/**
 * Make a call that streams once the tab has no other stream; `call` gets the signal that ends it.
 *
 * If another stream preempts it, throw Preempted. If `signal` is aborted, throw, at the latest when `call` does.
 */
export async function withStream<T>(
  priority: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const preempted = new AbortController();
  let claim: Claim | undefined;
  try {
    await new Promise<void>((grant) => {
      claim = { priority, preempted, grant };
      waiting = [...waiting, claim];
      signal.addEventListener("abort", () => grant());
      settle();
    });
    signal.throwIfAborted();
    return await call(AbortSignal.any([signal, preempted.signal]));
  } catch (error) {
    throw preempted.signal.aborted && !signal.aborted ? new Preempted() : error;
  } finally {
    waiting = waiting.filter((other) => other !== claim);
    if (holder === claim) holder = undefined;
    settle();
  }
}

/** Give the stream to whom it is due, or take it from who has it. */
function settle(): void {
  const [next] = [...waiting].sort((left, right) => right.priority - left.priority);
  if (next === undefined) return;
  if (holder === undefined) {
    waiting = waiting.filter((other) => other !== next);
    holder = next;
    next.grant();
  } else if (next.priority > holder.priority) {
    holder.preempted.abort();
  }
}
