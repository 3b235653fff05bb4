/** When what has changed is drawn. */

import { options } from "preact";

// A call that a click makes goes out before what the click changes is drawn.
const soon = (draw: () => void) => void setTimeout(draw);
options.debounceRendering = soon;

/** Work that is done at most once a frame, however often it is asked for. */
export function oncePerFrame(work: () => void): { ask(): void; now(): void; alone(): void } {
  let frame = 0;
  let wanted = false;
  const onFrame = () => {
    frame = 0;
    if (!wanted) return;
    wanted = false;
    work();
  };
  return {
    /** Do the work with the next frame. */
    ask() {
      wanted = true;
      frame ||= requestAnimationFrame(onFrame);
    },
    /** Do the work at once. */
    now() {
      cancelAnimationFrame(frame);
      frame = 0;
      wanted = false;
      work();
    },
    /**
     * Do the work, and draw what it changes, at once. The next frame shows that alone: what is asked for until then
     * is done with the frame after it.
     */
    alone() {
      options.debounceRendering = queueMicrotask;
      this.now();
      options.debounceRendering = soon;
      frame = requestAnimationFrame(() => {
        frame = wanted ? requestAnimationFrame(onFrame) : 0;
      });
    },
  };
}
