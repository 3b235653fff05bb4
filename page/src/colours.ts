/** The colours of the theme, for canvases, which cannot take them from style sheets. */

/** Return a colour of the theme that the system has now. */
export function colour(name: "line-strong" | "quiet" | "gain" | "loss"): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Call `redraw` when the system changes between dark and light; return what stops that. */
export function onThemeChange(redraw: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  return () => dark.removeEventListener("change", redraw);
}
