/** The files of a portfolio for other programs: the tables are those that the command writes, by the same names. */

import { jsonOf } from "../../api/json";
import {
  type PortfolioResult,
  PortfolioResultSchema,
} from "../../api/stubs/backcast/backtest/v1/portfolio_pb";
import {
  PortfolioSummarySchema,
  RunPortfolioRequestSchema,
} from "../../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import { csvOf, csvTime } from "../../csv";
import { save } from "../../save";
import type { PortfolioSnapshot } from "../../state/portfolio";
import { TRADE_COLUMNS, tradeCells } from "../crypto/csv";

/** Buttons that save the account: trades, equity and cryptos as tables, and everything as JSON. */
export function Downloads({ shown, result }: { shown: PortfolioSnapshot; result: PortfolioResult }) {
  const { runId } = shown;
  const saveCsv = (what: string, text: string) => save(`${runId}-${what}.csv`, "text/csv", text);
  return (
    <div class="row">
      <button type="button" onClick={() => saveCsv("trades", tradesCsv(result))}>
        Trades as CSV
      </button>
      <button
        type="button"
        title="The closes that the chart has: at most 4,000, with the highest and lowest ones."
        onClick={() => saveCsv("equity", equityCsv(result))}
      >
        Equity as CSV
      </button>
      <button type="button" onClick={() => saveCsv("cryptos", cryptosCsv(result))}>
        Cryptos as CSV
      </button>
      <button type="button" onClick={() => saveJson(shown, result)}>
        All as JSON
      </button>
    </div>
  );
}

function tradesCsv({ trades }: PortfolioResult): string {
  const rows = trades.flatMap(({ symbol, strategy, trade }) =>
    trade === undefined ? [] : [[symbol, strategy, ...tradeCells(trade)]],
  );
  return csvOf(["symbol", "strategy", ...TRADE_COLUMNS], rows);
}

function equityCsv({ curve }: PortfolioResult): string {
  const { openTimeS = [], equity = [], drawdown = [], cash = [], exposure = [], hold = [] } = curve ?? {};
  const columns = [equity, drawdown, cash, exposure, hold, curve?.positionCount ?? []];
  const rows = openTimeS.map((seconds, index) => [
    csvTime(seconds),
    ...columns.map((column) => column[index]),
  ]);
  return csvOf(["time", "equity", "drawdown", "cash", "exposure", "hold", "position_count"], rows);
}

const CRYPTO = [
  ...["symbol", "contribution", "turnover", "trade_count", "open_trade_count"],
  ...["skipped_no_equity", "skipped_no_place", "skipped_undefined_size", "skipped_no_cash"],
];

function cryptosCsv({ cryptos }: PortfolioResult): string {
  const rows = cryptos.map(({ symbol, contribution, turnover, tradeCount, openTradeCount, skipped }) => [
    symbol,
    contribution,
    turnover,
    tradeCount,
    openTradeCount,
    skipped?.noEquity ?? 0,
    skipped?.noPlace ?? 0,
    skipped?.undefinedSize ?? 0,
    skipped?.noCash ?? 0,
  ]);
  return csvOf(CRYPTO, rows);
}

/** Save everything that came, in the JSON of the API. */
function saveJson({ runId, started, summary }: PortfolioSnapshot, result: PortfolioResult): void {
  const file = {
    run_id: runId,
    request: started?.request && jsonOf(RunPortfolioRequestSchema, started.request),
    result: jsonOf(PortfolioResultSchema, result),
    summary: summary && jsonOf(PortfolioSummarySchema, summary),
  };
  save(`${runId}.json`, "application/json", `${JSON.stringify(file, null, 1)}\n`);
}
