/** Entries that a signal asked for and that were not made, by their reasons. */

import type { PortfolioCrypto } from "../../api/stubs/backcast/backtest/v1/portfolio_pb";

export const SKIPPED = [
  { field: "noPlace", heading: "No place", words: "found no free place" },
  { field: "noCash", heading: "No cash", words: "found too little free cash" },
  { field: "undefinedSize", heading: "No size", words: "had an undefined size" },
  { field: "noEquity", heading: "No equity", words: "came after the equity was gone" },
] as const;

export function skippedOf({ skipped }: PortfolioCrypto): number {
  return SKIPPED.reduce((sum, { field }) => sum + (skipped?.[field] ?? 0), 0);
}
