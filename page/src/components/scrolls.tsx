import type { ComponentChildren } from "preact";

/** Something wide that scrolls sideways where there is no room for it, by keys too. */
export function Scrolls({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keys
    <section class="scrolls" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
