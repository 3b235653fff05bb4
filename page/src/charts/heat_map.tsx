import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { colourOffset, colourTable, type DivergingScale, divergingScale, rgb } from "./diverging";
import { type Palette, palette } from "./palette";
import { useWidth } from "./width";

const MARGIN = { left: 56, right: 8, top: 8, bottom: 40 };
const LABEL_DISTANCE = { x: 44, y: 18 };
const CELL_HEIGHT = { least: 3, most: 32 };

export interface HeatMapAxis {
  /** Name of the parameter; empty for the `y` of a sweep of one parameter. */
  readonly name: string;
  /** Its values as text, ascending. */
  readonly values: readonly string[];
}

export interface HeatMapProps {
  readonly x: HeatMapAxis;
  readonly y: HeatMapAxis;
  /** Name of the metric. */
  readonly metric: string;
  /** The metric at `y * x.values.length + x`; NaN where it is undefined. */
  readonly values: ArrayLike<number>;
  readonly format: (value: number) => string;
  /** For metrics such as the drawdown: the strong colour of the good side is that of small values. */
  readonly smallerIsBetter: boolean;
  /** A cell with a frame: the combination that was chosen. */
  readonly chosen: Cell | null;
  /** The ends of the scale: two heat maps with the same one can be compared. */
  readonly scale: DivergingScale;
  readonly onPick: (cell: Cell) => void;
}

export interface Cell {
  readonly x: number;
  readonly y: number;
}

/** The scale of a heat map: around 0 if there are values on both sides of it, else around the median. */
export function heatMapScale(values: ArrayLike<number>): DivergingScale {
  const sorted = Float64Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort();
  const straddles = (sorted[0] ?? 0) < 0 && (sorted.at(-1) ?? 0) > 0;
  return divergingScale(values, straddles ? 0 : (sorted[sorted.length >> 1] ?? 0));
}

/** A metric over two parameters, as colours. The pointer and the arrow keys tell the value of a cell. */
export function HeatMap(props: HeatMapProps) {
  const { x, y, metric, values, format, smallerIsBetter, chosen, scale, onPick } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(canvas);
  const [cursor, setCursor] = useState<Cell | null>(null);
  const colours = palette.value;
  const table = useMemo(() => {
    const [low, high] = smallerIsBetter ? [colours.high, colours.low] : [colours.low, colours.high];
    return colourTable(low, colours.middle, high);
  }, [colours, smallerIsBetter]);
  const cells = useMemo(
    () => cellBitmap(x.values.length, y.values.length, values, scale, table, colours),
    [x, y, values, scale, table, colours],
  );
  const plot = plotOf(width, x.values.length, y.values.length);

  useLayoutEffect(() => {
    if (width) draw(canvas.current as HTMLCanvasElement, plot, cells, x, y, colours, cursor, chosen);
  }, [plot.width, plot.height, cells, x, y, colours, cursor, chosen]);

  const move = (key: string): boolean => {
    const steps: Record<string, readonly [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    };
    const step = steps[key];
    if (step) {
      const from = cursor ?? chosen ?? { x: 0, y: 0 };
      setCursor({
        x: Math.min(x.values.length - 1, Math.max(0, from.x + step[0])),
        y: Math.min(y.values.length - 1, Math.max(0, from.y + step[1])),
      });
    } else if ((key === "Enter" || key === " ") && cursor) onPick(cursor);
    else return false;
    return true;
  };
  const told = cursor ?? chosen;
  const value = told ? (values[told.y * x.values.length + told.x] as number) : Number.NaN;
  return (
    <figure class="heat-map">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the arrow keys move over the cells */}
      <canvas
        ref={canvas}
        role="application"
        aria-roledescription="heat map"
        aria-label={`${summaryOf(props)} Arrow keys move over the cells.`}
        tabIndex={0}
        style={{ height: `${plot.height + MARGIN.top + MARGIN.bottom}px` }}
        onKeyDown={(event) => {
          if (move(event.key)) event.preventDefault();
        }}
        onPointerMove={(event) => setCursor(cellAt(event, plot, x.values.length, y.values.length))}
        onPointerLeave={() => setCursor(null)}
        onClick={(event) => {
          const cell = cellAt(event, plot, x.values.length, y.values.length);
          if (cell) onPick(cell);
        }}
      />
      <div class="heat-map-value" aria-live="polite">
        {told && (
          <>
            {`${place(x, y, told)}: ${metric} `}
            <strong>{Number.isNaN(value) ? "undefined" : format(value)}</strong>
            {cursor ? "" : " (chosen)"}
          </>
        )}
      </div>
      <Legend scale={scale} table={table} format={format} metric={metric} smallerIsBetter={smallerIsBetter} />
    </figure>
  );
}

interface Plot {
  readonly width: number;
  readonly height: number;
}

function plotOf(width: number, columns: number, rows: number): Plot {
  const across = Math.max(1, width - MARGIN.left - MARGIN.right);
  const cell = Math.min(CELL_HEIGHT.most, Math.max(CELL_HEIGHT.least, (across / columns) * 0.6));
  return { width: across, height: Math.min(Math.max(cell * rows, 80), 480) };
}

function cellAt(event: MouseEvent, plot: Plot, columns: number, rows: number): Cell | null {
  const x = Math.floor(((event.offsetX - MARGIN.left) / plot.width) * columns);
  const y = rows - 1 - Math.floor(((event.offsetY - MARGIN.top) / plot.height) * rows);
  return x >= 0 && x < columns && y >= 0 && y < rows ? { x, y } : null;
}

/** One pixel for each cell; the first row of values is the lowest of the picture. */
function cellBitmap(
  columns: number,
  rows: number,
  values: ArrayLike<number>,
  scale: DivergingScale,
  table: Uint8ClampedArray,
  colours: Palette,
): HTMLCanvasElement {
  const bitmap = document.createElement("canvas");
  bitmap.width = columns;
  bitmap.height = rows;
  const context = bitmap.getContext("2d") as CanvasRenderingContext2D;
  const image = context.createImageData(columns, rows);
  const [red, green, blue] = rgb(colours.undefined);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column] as number;
      const to = ((rows - 1 - row) * columns + column) * 4;
      if (value === undefined || Number.isNaN(value)) image.data.set([red, green, blue, 255], to);
      else {
        const from = colourOffset(scale, value);
        for (let channel = 0; channel < 4; channel++)
          image.data[to + channel] = table[from + channel] as number;
      }
    }
  }
  context.putImageData(image, 0, 0);
  return bitmap;
}

function draw(
  canvas: HTMLCanvasElement,
  plot: Plot,
  cells: HTMLCanvasElement,
  x: HeatMapAxis,
  y: HeatMapAxis,
  colours: Palette,
  cursor: Cell | null,
  chosen: Cell | null,
): void {
  const ratio = devicePixelRatio;
  const [width, height] = [plot.width + MARGIN.left + MARGIN.right, plot.height + MARGIN.top + MARGIN.bottom];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.scale(ratio, ratio);
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, MARGIN.left, MARGIN.top, plot.width, plot.height);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.text;
  const [columns, rows] = [x.values.length, y.values.length];
  context.textAlign = "center";
  for (const index of labelled(columns, plot.width / columns, LABEL_DISTANCE.x)) {
    const at = MARGIN.left + ((index + 0.5) / columns) * plot.width;
    context.fillText(x.values[index] as string, at, MARGIN.top + plot.height + 14);
  }
  context.fillText(x.name, MARGIN.left + plot.width / 2, height - 6);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const index of labelled(rows, plot.height / rows, LABEL_DISTANCE.y)) {
    const at = MARGIN.top + (1 - (index + 0.5) / rows) * plot.height;
    context.fillText(y.values[index] as string, MARGIN.left - 6, at);
  }
  context.save();
  context.translate(8, MARGIN.top + plot.height / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(y.name, 0, 0);
  context.restore();
  const frame = (cell: Cell, colour: string) => {
    const [cellWidth, cellHeight] = [plot.width / columns, plot.height / rows];
    const [left, top] = [MARGIN.left + cell.x * cellWidth, MARGIN.top + (rows - 1 - cell.y) * cellHeight];
    // Light around dark, so that the frame is seen on every colour.
    context.lineWidth = 3;
    context.strokeStyle = colours.background;
    context.strokeRect(left, top, cellWidth, cellHeight);
    context.lineWidth = 1.5;
    context.strokeStyle = colour;
    context.strokeRect(left, top, cellWidth, cellHeight);
  };
  if (chosen) frame(chosen, colours.selected);
  if (cursor) frame(cursor, colours.text);
}

/** The indexes that have a label, so that labels are at least `distance` apart. */
function labelled(count: number, size: number, distance: number): number[] {
  const step = Math.max(1, Math.ceil(distance / size));
  return Array.from({ length: Math.ceil(count / step) }, (_, index) => index * step);
}

interface LegendProps {
  readonly scale: DivergingScale;
  readonly table: Uint8ClampedArray;
  readonly format: (value: number) => string;
  readonly metric: string;
  readonly smallerIsBetter: boolean;
}

function Legend({ scale, table, format, metric, smallerIsBetter }: LegendProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current as HTMLCanvasElement;
    const steps = table.length / 4;
    element.width = steps;
    element.height = 1;
    const context = element.getContext("2d") as CanvasRenderingContext2D;
    const image = context.createImageData(steps, 1);
    image.data.set(table);
    context.putImageData(image, 0, 0);
  }, [table]);
  return (
    <div class="heat-map-legend">
      <span>{format(scale.minimum)}</span>
      <canvas ref={canvas} />
      <span>{format(scale.maximum)}</span>
      <span>
        {`middle: ${format(scale.centre)}; ${smallerIsBetter ? "smaller" : "greater"} ${metric} is better; grey is undefined`}
      </span>
    </div>
  );
}

/** The values of a cell, by the names of their parameters; with one parameter, `y` has no name. */
function place(x: HeatMapAxis, y: HeatMapAxis, cell: Cell): string {
  const across = `${x.name} ${x.values[cell.x]}`;
  return y.name === "" ? across : `${across}, ${y.name} ${y.values[cell.y]}`;
}

function summaryOf({ x, y, metric, values, format, smallerIsBetter }: HeatMapProps): string {
  let best = -1;
  let count = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (Number.isNaN(value)) continue;
    count++;
    const than = values[best] as number;
    if (best < 0 || (smallerIsBetter ? value < than : value > than)) best = index;
  }
  const map = `${metric} by ${y.name === "" ? x.name : `${x.name} and ${y.name}`}`;
  if (best < 0) return `${map}: no values.`;
  const cell = { x: best % x.values.length, y: Math.floor(best / x.values.length) };
  return (
    `${map}, ${count.toLocaleString("en")} values. The best is ` +
    `${format(values[best] as number)} at ${place(x, y, cell)}.`
  );
}
