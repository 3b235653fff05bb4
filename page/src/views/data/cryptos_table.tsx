import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { change, type Query } from "../../address";
import { type Crypto, CryptoKind } from "../../api/stubs/backcast/marketdata/v1/crypto_pb";
import { FilterField } from "../../components/fields";
import { type Column, VirtualTable } from "../../components/virtual_table";
import { ABSENT, count, secondsOf, time } from "../../format";
import { parseOrder } from "../../order";
import { breakCount, loadBreakCounts } from "../../state/breaks";

const KINDS: Readonly<Record<CryptoKind, string>> = {
  [CryptoKind.UNSPECIFIED]: "unknown",
  [CryptoKind.SPOT]: "spot",
  [CryptoKind.PERPETUAL]: "perpetual",
  [CryptoKind.DATED_FUTURE]: "dated future",
};

const COLUMNS: readonly Column[] = [
  { name: "symbol", heading: "Crypto", width: 144, left: true },
  { name: "kind", heading: "Kind", width: 152, left: true },
  { name: "first", heading: "First candle", width: 152, left: true, help: "Opening time, in UTC." },
  { name: "last", heading: "Last candle", width: 152, left: true, help: "Opening time, in UTC." },
  { name: "candles", heading: "Candles", width: 96 },
  {
    name: "missing",
    heading: "Missing hours",
    width: 128,
    help: "Hours between the first and the last candle that have no candle.",
  },
  {
    name: "breaks",
    heading: "Breaks",
    width: 88,
    help: "Places where the history was relisted or redenominated; without the removed ones.",
  },
];

/** Return the number of hours without a candle between the first and the last one. */
export function missingHours({ firstCandleTime, lastCandleTime, candleCount }: Crypto): number {
  if (firstCandleTime === undefined || lastCandleTime === undefined) return 0;
  return (secondsOf(lastCandleTime) - secondsOf(firstCandleTime)) / 3600 + 1 - Number(candleCount);
}

interface Props {
  query: Query;
  cryptos: readonly Crypto[];
}

/** The cryptos that have candles; a row opens its breaks. */
export function CryptosTable({ query, cryptos }: Props) {
  const search = query.search ?? "";
  const order = query.sort ?? "symbol";
  useBreakCounts(cryptos);
  // Rows are drawn anew by the table, not by the signals that their cells read.
  const breaks = cryptos.map(breakCount);
  const rows = useMemo(() => {
    const words = search.toUpperCase().split(/[\s,;]+/);
    const found = cryptos.filter(({ symbol }) => words.some((word) => symbol.includes(word)));
    return sorted(found, order);
  }, [cryptos, search, order, order.endsWith("breaks") && breaks.join()]);
  const { column, reversed } = parseOrder(order);
  return (
    <section class="stack cryptos" aria-label="Cryptos" style={{ "--rows": Math.max(rows.length, 2) }}>
      <div class="row">
        <FilterField
          label="Search cryptos"
          placeholder="Search: btc, eth"
          value={search}
          onChange={(search) => change({ search })}
          shown={rows.length}
          all={cryptos.length}
        />
      </div>
      <VirtualTable
        label="Cryptos"
        columns={COLUMNS}
        items={rows}
        keyOf={({ symbol }) => symbol}
        cell={(crypto, { name }) => cell(crypto, name)}
        selected={query.symbol}
        sorting={{ column, descending: reversed }}
        onSort={({ name }) => change({ sort: order === name ? `-${name}` : name })}
        onOpen={({ symbol }) => change({ symbol })}
        empty={search === "" ? "There are no candles yet." : `No crypto has "${search}" in its symbol.`}
      />
    </section>
  );
}

function cell(crypto: Crypto, name: string): ComponentChildren {
  const { symbol, kind, synthetic, firstCandleTime, lastCandleTime, candleCount } = crypto;
  switch (name) {
    case "symbol":
      return symbol;
    case "kind":
      return synthetic ? `${KINDS[kind]}, made up` : KINDS[kind];
    case "first":
      return firstCandleTime === undefined ? ABSENT : time(secondsOf(firstCandleTime));
    case "last":
      return lastCandleTime === undefined ? ABSENT : time(secondsOf(lastCandleTime));
    case "candles":
      return count(candleCount);
    case "missing":
      return count(missingHours(crypto));
    default:
      return count(breakCount(crypto));
  }
}

function sortValue(crypto: Crypto, name: string): number | string {
  switch (name) {
    case "kind":
      return crypto.kind;
    case "first":
      return secondsOf(crypto.firstCandleTime);
    case "last":
      return secondsOf(crypto.lastCandleTime);
    case "candles":
      return Number(crypto.candleCount);
    case "missing":
      return missingHours(crypto);
    case "breaks":
      return breakCount(crypto) ?? -1;
    default:
      return crypto.symbol;
  }
}

function sorted(cryptos: readonly Crypto[], order: string): Crypto[] {
  const { column, reversed } = parseOrder(order);
  const sign = reversed ? -1 : 1;
  return [...cryptos].sort((a, b) => {
    const [left, right] = [sortValue(a, column), sortValue(b, column)];
    if (left === right) return a.symbol < b.symbol ? -1 : 1;
    return left < right ? -sign : sign;
  });
}

function useBreakCounts(cryptos: readonly Crypto[]): void {
  useEffect(() => {
    const left = new AbortController();
    // Without the numbers, the table is of use all the same; errors show where the list is loaded.
    loadBreakCounts(cryptos, left.signal).catch(() => undefined);
    return () => left.abort();
  }, [cryptos]);
}
