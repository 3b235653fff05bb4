/** The number of breaks of each crypto, without the removed ones. */

import { signal } from "@preact/signals";
import { marketData } from "../api/clients";
import { BRIEF, withStream } from "../api/one_stream";
import type { Crypto } from "../api/stubs/backcast/marketdata/v1/crypto_pb";

/** Numbers by symbol and fingerprint; those of cryptos that are being asked for are absent. */
const counts = signal<ReadonlyMap<string, number>>(new Map());

/** Return the number of breaks of a crypto; undefined until it is known. */
export function breakCount({ symbol, fingerprint }: Crypto): number | undefined {
  return counts.value.get(`${symbol} ${fingerprint}`);
}

export function setBreakCount({ symbol, fingerprint }: Crypto, count: number): void {
  counts.value = new Map(counts.peek()).set(`${symbol} ${fingerprint}`, count);
}

/**
 * Load the numbers of the cryptos that have none yet.
 *
 * A stream of candles has the breaks of each crypto; a reader that has all candles already gets nothing else.
 */
export async function loadBreakCounts(cryptos: readonly Crypto[], signal: AbortSignal): Promise<void> {
  const wanted = cryptos.filter((one) => breakCount(one) === undefined);
  if (wanted.length === 0) return;
  const bySymbol = new Map(wanted.map((one) => [one.symbol, one]));
  const found = new Map(counts.peek());
  const request = {
    symbols: wanted.map(({ symbol }) => symbol),
    knownFingerprints: wanted.map(({ fingerprint }) => fingerprint),
  };
  await withStream(BRIEF, signal, async (open) => {
    for await (const { blocks } of marketData.streamCandles(request, { signal: open }))
      for (const block of blocks) {
        const crypto = bySymbol.get(block.symbol);
        if (block.lastBlock && crypto !== undefined)
          found.set(`${crypto.symbol} ${crypto.fingerprint}`, block.breaks.length);
      }
  });
  counts.value = found;
}
