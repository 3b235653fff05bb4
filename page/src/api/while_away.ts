import { sleep } from "../sleep";
import { type Explanation, explain } from "./explain";
import { tokenWanted } from "./transport";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/**
 * Make a call and, as long as the gateway is away or has no room, make it again; throw what that does not change.
 *
 * `tell` gets every failure. After `signal` is aborted, the call is not made again.
 */
export async function whileAway<T>(
  call: () => Promise<T>,
  tell: (why: Explanation) => void,
  signal?: AbortSignal,
): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      if (signal?.aborted) throw error;
      const why = explain(error);
      if (why.wantsToken) tokenWanted.value = true;
      tell(why);
      const waitMs = why.retryMs ?? (why.away ? pause : undefined);
      if (waitMs === undefined) throw error;
      await sleep(waitMs, signal);
      if (signal?.aborted) throw error;
    }
  }
}
