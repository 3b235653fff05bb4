/** Work that is done at most once a frame, however often it is asked for. */
export function oncePerFrame(work: () => void): { ask(): void; now(): void } {
  let asked = 0;
  const run = () => {
    asked = 0;
    work();
  };
  return {
    /** Do the work with the next frame. */
    ask() {
      asked ||= requestAnimationFrame(run);
    },
    /** Do the work at once, and not again with the next frame. */
    now() {
      cancelAnimationFrame(asked);
      run();
    },
  };
}
