// Twenty times a second looks like all the time, and leaves the processor to the services.
const PAUSE_MS = 50;

/** Draws what changes often. */
export function paced(draw: () => void): { soon(): void; nextFrame(): void; now(): void } {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const now = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    [frame, timer, drawnAt] = [0, undefined, performance.now()];
    draw();
  };
  const nextFrame = () => {
    frame ||= requestAnimationFrame(now);
  };
  return {
    /** Draw with one of the next frames, however often it is asked for. */
    soon() {
      timer ??= setTimeout(nextFrame, drawnAt + PAUSE_MS - performance.now());
    },
    /** Draw with the next frame. */
    nextFrame,
    /** Draw at once. */
    now,
  };
}
