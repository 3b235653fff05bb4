/** Work that is done at most once a frame, however often it is asked for. */
export function oncePerFrame(work: () => void): { ask(): void; now(): void } {
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
  };
}
