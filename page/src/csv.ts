/** Tables as files: names and values are those of the files that the command writes. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";

export type Cell = string | number | boolean | undefined;

/** Return a table as CSV (RFC 4180); what is undefined is empty. */
export function csvOf(names: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [names, ...rows].map((row) => `${row.map((cell) => cell ?? "").join(",")}\r\n`).join("");
}

/** 2024-01-31 08:00:00Z; of seconds since 1970. */
export function csvTime(seconds: bigint): string {
  return new Date(1000 * Number(seconds)).toISOString().replace("T", " ").replace(".000Z", "Z");
}

/** As `csvTime`, of a timestamp that may be absent. */
export function csvTimestamp(time: Timestamp | undefined): string | undefined {
  return time && csvTime(time.seconds);
}
