/** A scale of colours: from `low` over `middle` at the centre to `high`. Linear in sRGB; readable by the colour-blind. */
export interface DivergingScale {
  readonly minimum: number;
  readonly maximum: number;
  /** The value that has the middle colour; values as far on both sides of it are equally strong. */
  readonly centre: number;
}

type Rgb = readonly [number, number, number];

const STEPS = 256;

/**
 * The scale for `values`: centred on `centre`, so that the sign is the colour; NaN does not count.
 * A few extreme values do not fade all others: the scale ends at the 98 % quantile of the distances.
 */
export function divergingScale(values: ArrayLike<number>, centre: number): DivergingScale {
  const distances: number[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (!Number.isNaN(value)) distances.push(Math.abs(value - centre));
  }
  distances.sort((left, right) => left - right);
  const reach = distances[Math.min(distances.length - 1, Math.floor(distances.length * 0.98))] ?? 0;
  return { minimum: centre - (reach || 1), maximum: centre + (reach || 1), centre };
}

/** Where a value lies on the scale: 0 is its minimum or less, 1 its maximum or more. */
function position(scale: DivergingScale, value: number): number {
  const from = (value - scale.minimum) / (scale.maximum - scale.minimum);
  return Math.min(1, Math.max(0, from));
}

/** 256 colours from low to high as packed bytes R, G, B, A, for ImageData. */
export function colourTable(low: string, middle: string, high: string): Uint8ClampedArray {
  const [from, centre, to] = [rgb(low), rgb(middle), rgb(high)];
  const table = new Uint8ClampedArray(STEPS * 4);
  for (let step = 0; step < STEPS; step++) {
    const at = step / (STEPS - 1);
    const [start, end, share] = at < 0.5 ? [from, centre, at * 2] : [centre, to, at * 2 - 1];
    for (let channel = 0; channel < 3; channel++) {
      table[step * 4 + channel] = (start[channel] as number) * (1 - share) + (end[channel] as number) * share;
    }
    table[step * 4 + 3] = 255;
  }
  return table;
}

/** The offset of a value's colour in `colourTable`. */
export function colourOffset(scale: DivergingScale, value: number): number {
  return Math.round(position(scale, value) * (STEPS - 1)) * 4;
}

/** A colour of the table at `offset` as a CSS colour. */
export function cssColour(table: Uint8ClampedArray, offset: number): string {
  return `rgb(${table[offset]} ${table[offset + 1]} ${table[offset + 2]})`;
}

/** Whether text on a colour of the table is better dark than light (relative luminance of WCAG). */
export function wantsDarkText(table: Uint8ClampedArray, offset: number): boolean {
  const linear = (channel: number) => {
    const share = (table[offset + channel] as number) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(0) + 0.7152 * linear(1) + 0.0722 * linear(2) > 0.179;
}

/** Reads #rgb or #rrggbb. */
export function rgb(colour: string): Rgb {
  const digits = colour.slice(1);
  const long = digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits;
  const number = Number.parseInt(long, 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}
