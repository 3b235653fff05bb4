import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  class: string;
  label: string;
  /** Items, each with a button. */
  children: ComponentChildren;
  /** Called when the keyboard goes to before the first button, or presses Escape. */
  onLeave?: (key: string) => void;
}

/** A list of buttons that is one tab stop: arrows, Home and End move among them. */
export function ButtonList({ class: name, label, children, onLeave }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const stop = useRef(0);
  const buttons = () => [...list.current!.querySelectorAll("button")];
  /** Make one button the tab stop; where it has gone, the last one. */
  const stopAt = (place: number) => {
    const all = buttons();
    stop.current = Math.max(0, Math.min(place, all.length - 1));
    for (const [index, button] of all.entries()) button.tabIndex = index === stop.current ? 0 : -1;
    return all[stop.current];
  };
  useLayoutEffect(() => void stopAt(stop.current));

  const onKeyDown = (event: KeyboardEvent) => {
    const { key } = event;
    const place = buttons().indexOf(document.activeElement as HTMLButtonElement);
    const next: Readonly<Record<string, number>> = {
      ArrowDown: place + 1,
      ArrowRight: place + 1,
      ArrowUp: place - 1,
      ArrowLeft: place - 1,
      Home: 0,
      End: Number.POSITIVE_INFINITY,
    };
    const to = next[key];
    if (onLeave && (key === "Escape" || (to !== undefined && to < 0))) onLeave(key);
    else if (to !== undefined) stopAt(to)?.focus();
    else return;
    event.preventDefault();
  };
  return (
    <ul
      class={name}
      aria-label={label}
      ref={list}
      onKeyDown={onKeyDown}
      onFocusIn={({ target }) => stopAt(buttons().indexOf(target as HTMLButtonElement))}
    >
      {children}
    </ul>
  );
}
