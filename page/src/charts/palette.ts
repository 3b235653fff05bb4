import { signal } from "@preact/signals";

/** The colours of charts, as CSS colours. They are the custom properties `--chart-…` of charts.css. */
export interface Palette {
  readonly background: string;
  readonly text: string;
  readonly grid: string;
  readonly border: string;
  readonly crosshair: string;
  readonly gain: string;
  readonly loss: string;
  readonly accent: string;
  readonly hold: string;
  readonly selected: string;
  /** Colours of lines that stand for nothing in particular, in the order in which they are used. */
  readonly lines: readonly string[];
  /** Ends and middle of the diverging scale of the heat map and the months. */
  readonly low: string;
  readonly middle: string;
  readonly high: string;
  readonly undefined: string;
}

const NAMES = [
  "background",
  "text",
  "grid",
  "border",
  "crosshair",
  "gain",
  "loss",
  "accent",
  "hold",
  "selected",
  "low",
  "middle",
  "high",
  "undefined",
] as const;
const LINE_COUNT = 6;

/** The palette of the system's theme; changes when the theme does. */
export const palette = signal<Palette>(read());

export function lineColour(colours: Palette, index: number): string {
  return colours.lines[index % colours.lines.length] as string;
}

/** Takes the colours that the document's styles have now. */
function readPalette(): void {
  palette.value = read();
}

function read(): Palette {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string) => styles.getPropertyValue(`--chart-${name}`).trim() || "#808080";
  const named = Object.fromEntries(NAMES.map((name) => [name, colour(name)])) as Record<
    (typeof NAMES)[number],
    string
  >;
  return { ...named, lines: Array.from({ length: LINE_COUNT }, (_, index) => colour(`line-${index + 1}`)) };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readPalette);
// Styles can arrive after this module.
addEventListener("load", readPalette);
