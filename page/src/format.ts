/** Numbers and times as text, and fractions as people type them. All times are in UTC. */

import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** What is shown for a figure that is undefined. */
export const ABSENT = "–";

const MINUS = "−";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const exact = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });

const tidy = (text: string): string =>
  /^-[0.,]*%?$/.test(text.replaceAll(" ", "")) ? text.slice(1) : text.replace("-", MINUS);

const isAbsent = (value: number | undefined): value is undefined =>
  value === undefined || Number.isNaN(value);

/** 1,234 */
export function count(value: number | bigint | undefined): string {
  if (typeof value === "bigint") return whole.format(value);
  return isAbsent(value) ? ABSENT : tidy(whole.format(value));
}

/** 1,234.50 */
export function decimal(value: number | undefined): string {
  return isAbsent(value) ? ABSENT : tidy(cents.format(value));
}

/** 12.3 % of the fraction 0.123. */
export function percent(value: number | undefined, digits = 1): string {
  if (isAbsent(value)) return ABSENT;
  return `${tidy(grouped((100 * value).toFixed(digits)))} %`;
}

/** +12.3 % of the fraction 0.123: a gain or a loss, whose sign shows which without a colour. */
export function signedPercent(value: number | undefined, digits = 1): string {
  if (isAbsent(value)) return ABSENT;
  const text = percent(value, digits);
  return Number((100 * value).toFixed(digits)) > 0 ? `+${text}` : text;
}

/** A price, with six digits however small it is: prices of cryptos go from 0.0000000001 to 100,000. */
export function price(value: number | undefined): string {
  if (isAbsent(value)) return ABSENT;
  if (Math.abs(value) >= 1000) return decimal(value);
  return tidy(exact.format(value));
}

function grouped(digits: string): string {
  return digits.length > 6
    ? digits.replace(/\B(?=(\d{3})+(?=\.|$))/, ",").replace(/\B(?=(\d{3})+(?=,|\.|$))/g, ",")
    : digits;
}

/** "1 crypto", "2 cryptos". */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** Seconds since 1970 of a timestamp; 0 for one that is absent. */
export function secondsOf(time: Timestamp | undefined): number {
  return Number(time?.seconds ?? 0n);
}

/** 2024-01-31, 2024-01-31 08:00 or 2024-01-31 08:00:30, as short as it is exact; of seconds since 1970. */
export function time(seconds: number): string {
  const text = new Date(1000 * seconds).toISOString();
  const [date, clock] = [text.slice(0, 10), text.slice(11, 19).replace(/:00$/, "")];
  return clock === "00:00" ? date : `${date} ${clock}`;
}

/** The day of seconds since 1970: 2024-01-31. */
export function day(seconds: number): string {
  return new Date(1000 * seconds).toISOString().slice(0, 10);
}

/** The milliseconds of a duration. */
export function millisecondsOf(duration: Duration): number {
  return 1000 * Number(duration.seconds) + duration.nanos / 1e6;
}

/** A length of time in milliseconds, as a person says it: 85 ms, 1.2 s, 3 min 05 s, 2 h 10 min. */
export function lasting(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** A fraction as typed, and whether it has a unit. */
export interface TypedFraction {
  readonly value: number;
  readonly hasUnit: boolean;
}

const FRACTION = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:e([+-]?\d{1,3}))?\s*(%|bps?)?$/i;
const POWERS: Readonly<Record<string, number>> = { "%": -2, bps: -4, bp: -4 };

/** Parse 0.1%, 10bps or 0.001; return undefined if the text is no fraction, or too large for a double. */
export function parseFraction(text: string): TypedFraction | undefined {
  const [, digits, exponent, unit] = FRACTION.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  // The exponent is moved within the text, so that 0.1% is the double that 0.001 is.
  const power = Number(exponent ?? 0) + (POWERS[unit?.toLowerCase() ?? ""] ?? 0);
  const value = Number(`${digits}e${power}`);
  return Number.isFinite(value) ? { value, hasUnit: unit !== undefined } : undefined;
}

/** Parse a number with a decimal point; return undefined if the text is none, or too large for a double. */
export function parseNumber(text: string): number | undefined {
  if (!/^\s*[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d{1,3})?\s*$/i.test(text)) return undefined;
  return Number.isFinite(Number(text)) ? Number(text) : undefined;
}

/** Parse a day or a time in UTC, as `time` writes it; return seconds since 1970, or undefined. */
export function parseTime(text: string): number | undefined {
  const [, date, clock] = /^\s*(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?))?Z?\s*$/.exec(text) ?? [];
  if (date === undefined) return undefined;
  const instant = new Date(`${date}T${clock ?? "00:00"}Z`);
  if (Number.isNaN(instant.getTime()) || !instant.toISOString().startsWith(date)) return undefined;
  return instant.getTime() / 1000;
}
