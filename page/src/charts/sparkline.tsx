/** A small line of values without axes; it takes the colour of the text. NaN is left out. */
export function Sparkline({
  values,
  label,
  width = 72,
  height = 18,
}: {
  readonly values: ArrayLike<number>;
  readonly label: string;
  readonly width?: number;
  readonly height?: number;
}) {
  const defined = Array.from(values).filter((value) => !Number.isNaN(value));
  const low = defined.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = defined.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const x = (index: number) => ((index / Math.max(1, defined.length - 1)) * width).toFixed(1);
  const y = (value: number) => (height - ((value - low) / (high - low || 1)) * height).toFixed(1);
  const path = defined.map((value, index) => `${index ? "L" : "M"}${x(index)} ${y(value)}`).join("");
  return (
    <svg
      class="sparkline"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <path d={path} />
    </svg>
  );
}
