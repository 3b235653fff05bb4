import { useCallback, useMemo } from "preact/hooks";
import { ExitReason, type Trade } from "../api/stubs/backcast/backtest/v1/result_pb";
import { count, decimal, price, secondsOf, signedPercent, time } from "../format";
import { compareFigures, parseOrder } from "../order";
import { type Column, VirtualTable } from "./virtual_table";

interface TradeColumn extends Column {
  readonly show: (trade: Trade, number: number) => string;
  readonly value: (trade: Trade, number: number) => number;
  readonly signed?: boolean;
}

const column = (
  name: string,
  heading: string,
  width: number,
  value: TradeColumn["value"],
  show: TradeColumn["show"],
  more: Partial<TradeColumn> = {},
): TradeColumn => ({ name, heading, width, value, show, ...more });

const REASONS: Readonly<Record<ExitReason, string>> = {
  [ExitReason.UNSPECIFIED]: "open",
  [ExitReason.SIGNAL]: "signal",
  [ExitReason.STOP_LOSS]: "stop loss",
  [ExitReason.TRAILING_STOP]: "trailing stop",
  [ExitReason.TAKE_PROFIT]: "take profit",
  [ExitReason.LIQUIDATION]: "liquidation",
  [ExitReason.BREAK]: "break",
};

const COLUMNS: readonly TradeColumn[] = [
  column(
    "entry",
    "Entry (UTC)",
    152,
    (trade) => secondsOf(trade.entryTime),
    (trade) => time(secondsOf(trade.entryTime)),
    { left: true },
  ),
  column(
    "side",
    "Side",
    64,
    ({ units }) => Math.sign(units),
    ({ units }) => (units < 0 ? "short" : "long"),
    { left: true },
  ),
  column(
    "entry_price",
    "Price",
    104,
    ({ entryPrice }) => entryPrice,
    ({ entryPrice }) => price(entryPrice),
    { help: "Price of the entry, slippage included." },
  ),
  column(
    "exit",
    "Exit (UTC)",
    152,
    (trade) => (trade.open ? Number.POSITIVE_INFINITY : secondsOf(trade.exitTime)),
    (trade) => (trade.open ? "open" : time(secondsOf(trade.exitTime))),
    { left: true },
  ),
  column(
    "exit_price",
    "Price",
    104,
    ({ exitPrice }) => exitPrice ?? Number.NaN,
    ({ exitPrice }) => price(exitPrice),
    { help: "Price of the exit, slippage included." },
  ),
  column(
    "reason",
    "Closed by",
    112,
    ({ exitReason }) => exitReason,
    ({ exitReason }) => REASONS[exitReason] ?? "",
    { left: true },
  ),
  column(
    "return",
    "Return",
    88,
    ({ returnFraction }) => returnFraction,
    ({ returnFraction }) => signedPercent(returnFraction, 2),
    { signed: true, help: "Profit over the cost of the position, fee included." },
  ),
  column(
    "profit",
    "Profit",
    104,
    ({ profit }) => profit,
    ({ profit }) => decimal(profit),
    {
      signed: true,
      help: "Net of fees, borrowing and funding, in the quote currency. An open position counts at the last close.",
    },
  ),
  column(
    "held",
    "Held",
    72,
    ({ heldCandles }) => heldCandles,
    ({ heldCandles }) => count(heldCandles),
    { help: "Number of closes at which the position was held." },
  ),
  column(
    "worst",
    "Worst",
    80,
    ({ worstExcursion }) => worstExcursion,
    ({ worstExcursion }) => signedPercent(worstExcursion),
    { help: "Greatest move of the price against the position while it was held." },
  ),
  column(
    "best",
    "Best",
    80,
    ({ bestExcursion }) => bestExcursion,
    ({ bestExcursion }) => signedPercent(bestExcursion),
    { help: "Greatest move of the price in favour of the position while it was held." },
  ),
  column(
    "fees",
    "Fees",
    80,
    ({ feesPaid }) => feesPaid,
    ({ feesPaid }) => decimal(feesPaid),
    { help: "Fees of the entry and the exit, in the quote currency." },
  ),
  column(
    "number",
    "No.",
    56,
    (_, number) => number,
    (_, number) => count(number),
  ),
];
const BY_NAME = new Map(COLUMNS.map((one) => [one.name, one]));

export interface TradedStrategies {
  readonly numbers: readonly number[];
  readonly names: readonly string[];
}

interface Props {
  readonly trades: readonly Trade[];
  /** What each trade traded, where the trades are of several cryptos. */
  readonly symbols?: readonly string[];
  /** Where the trades are of several strategies: the number of each trade's strategy, and the strategies' names. */
  readonly strategies?: TradedStrategies | undefined;
  /** The index of the selected trade. */
  readonly selected: number | null;
  readonly onSelect: (trade: number) => void;
  /** A column's name; a minus in front for descending order. */
  readonly order: string | undefined;
  readonly onOrder: (order: string) => void;
}

const SYMBOL: Column = { name: "symbol", heading: "Crypto", width: 128, left: true };
const STRATEGY: Column = {
  name: "strategy",
  heading: "Strategy",
  width: 168,
  left: true,
  help: "Number of the strategy in the form, and its name.",
};

/** The trades in any order. Opening a row selects its trade. */
export function TradesTable({
  trades,
  symbols,
  strategies,
  selected,
  onSelect,
  order = "entry",
  onOrder,
}: Props) {
  const { column, reversed } = parseOrder(order);
  const columns = useMemo(
    () => [...(symbols ? [SYMBOL] : []), ...(strategies ? [STRATEGY] : []), ...COLUMNS],
    [symbols, strategies],
  );
  const rows = useMemo(() => {
    const owners = { symbol: symbols, strategy: strategies?.numbers }[column];
    return owners ? orderedBy(owners, reversed) : ordered(trades, column, reversed);
  }, [trades, symbols, strategies, column, reversed]);
  const cell = useCallback(
    (index: number, { name }: Column) => {
      if (name === SYMBOL.name) return symbols?.[index];
      if (name === STRATEGY.name) return strategies?.names[strategies.numbers[index]!];
      const trade = trades[index] as Trade;
      const { show, value, signed } = BY_NAME.get(name) as TradeColumn;
      const text = show(trade, index + 1);
      return signed ? <span class={value(trade, index) < 0 ? "loss" : "gain"}>{text}</span> : text;
    },
    [trades, symbols, strategies],
  );
  return (
    <VirtualTable
      label="Trades"
      columns={columns}
      items={rows}
      keyOf={String}
      selected={selected === null ? undefined : String(selected)}
      cell={cell}
      sorting={{ column, descending: reversed }}
      onSort={({ name }) => onOrder(order === name ? `-${name}` : name)}
      onOpen={onSelect}
      empty="The strategy made no trade in this window."
    />
  );
}

/** Order the trades by whose they are; those of one owner stay in the order of time. */
function orderedBy(owners: readonly (string | number)[], descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  return Array.from(owners.keys()).sort((left, right) =>
    owners[left] === owners[right] ? left - right : owners[left]! < owners[right]! ? -sign : sign,
  );
}

function ordered(trades: readonly Trade[], column: string, descending: boolean): number[] {
  const { value } = BY_NAME.get(column) ?? (COLUMNS[0] as TradeColumn);
  const values = trades.map((trade, index) => value(trade, index + 1));
  // Equal values stay in the order of time.
  return Array.from(trades.keys()).sort(
    (left, right) => compareFigures(values[left]!, values[right]!, descending) || left - right,
  );
}
