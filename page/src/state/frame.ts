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
    /** Do the work at once. The next frame shows it alone: what is asked for until then is done with the one after. */
    alone() {
      this.now();
      frame = requestAnimationFrame(() => {
        frame = wanted ? requestAnimationFrame(onFrame) : 0;
      });
    },
  };
}
