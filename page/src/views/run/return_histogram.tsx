import { useEffect, useRef } from "preact/hooks";
import { colour, onThemeChange } from "../../colours";
import { counted, percent, signedPercent } from "../../format";
import type { Results } from "../../state/results";

const WIDTH = 320;
const HEIGHT = 128;
const BARS = 40;

/** The distribution of the returns: losses left of the line, gains right of it. */
export function ReturnHistogram({ results, version }: { results: Results; version: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const returns = results.metrics.totalReturn.subarray(0, results.length);
  const gained = returns.reduce((sum, value) => sum + Number(value > 0), 0);
  // The results grow; the version says when.
  useEffect(() => {
    const redraw = () => draw(canvas.current!, results.metrics.totalReturn.subarray(0, results.length));
    redraw();
    return onThemeChange(redraw);
  }, [results, version]);
  return (
    <figure class="histogram">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Distribution of ${counted(results.length, "return")}: ${percent(gained / results.length, 0)} of the cryptos gained.`}
      />
      <figcaption class="quiet">Returns of the cryptos</figcaption>
    </figure>
  );
}

function draw(canvas: HTMLCanvasElement, returns: Float64Array): void {
  const ratio = devicePixelRatio;
  canvas.width = WIDTH * ratio;
  canvas.height = HEIGHT * ratio;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const sorted = returns.filter((value) => !Number.isNaN(value)).sort();
  if (sorted.length === 0) return;
  // A few extremes would press all others into one bar: what is beyond is drawn at the edge.
  const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const low = Math.min(quantile(0.02), 0);
  const high = Math.max(quantile(0.98), 0);
  const width = (high - low) / BARS || 1;
  // Zero is the edge of a bar, so that no bar has both gains and losses.
  const first = Math.floor(low / width);
  const bars = new Uint32Array(Math.ceil(high / width) - first + 1);
  for (const value of sorted) {
    const bar = Math.floor(Math.max(low, Math.min(value, high)) / width) - first;
    bars[bar]! += 1;
  }
  const most = Math.max(...bars);
  const room = HEIGHT - 18;
  const step = WIDTH / bars.length;
  for (const [index, number] of bars.entries()) {
    context.fillStyle = colour(index + first < 0 ? "loss" : "gain");
    const height = (number / most) * room;
    context.fillRect(index * step, room - height, Math.max(step - 1, 1), height);
  }
  context.fillStyle = colour("line-strong");
  context.fillRect(0, room, WIDTH, 1);
  const zero = -first * step;
  context.fillRect(zero - 0.5, 0, 1, room + 4);
  context.fillStyle = colour("quiet");
  context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  context.textBaseline = "bottom";
  context.textAlign = "left";
  if (zero > 70) context.fillText(signedPercent(low, 0), 0, HEIGHT);
  context.textAlign = "right";
  if (WIDTH - zero > 70) context.fillText(signedPercent(high, 0), WIDTH, HEIGHT);
  context.textAlign = zero < 12 ? "left" : zero > WIDTH - 12 ? "right" : "center";
  context.fillText("0", Math.max(0, Math.min(zero, WIDTH)), HEIGHT);
}
