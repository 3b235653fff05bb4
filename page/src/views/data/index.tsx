/** The view Data: which candles there are, and how others get in. */

import "./data.css";
import { useEffect } from "preact/hooks";
import { address } from "../../address";
import { ErrorNotice } from "../../components/notice";
import { count, counted } from "../../format";
import { cryptos } from "../../state/lists";
import { CryptoPanel } from "./crypto_panel";
import { CryptosTable } from "./cryptos_table";
import { FeedsPanel } from "./feeds_panel";
import { ImportPanel } from "./import_panel";

export default function MarketDataView() {
  const { query } = address.value;
  const listed = cryptos.items.value;
  const error = cryptos.error.value;
  // What others have imported meanwhile shows too.
  useEffect(() => void cryptos.reload(), []);
  const chosen = listed?.find(({ symbol }) => symbol === query.symbol);
  const candles = listed?.reduce((sum, { candleCount }) => sum + Number(candleCount), 0) ?? 0;
  return (
    <main id="main" class="stack data">
      <div class="row">
        <h1>Data</h1>
        {listed !== undefined && (
          <span class="quiet">
            {counted(listed.length, "crypto")}, {count(candles)} hourly candles
          </span>
        )}
      </div>
      {error !== undefined && !error.wantsToken && <ErrorNotice error={error} />}
      <ImportPanel />
      <FeedsPanel />
      {listed?.length === 0 && (
        <p>
          There are no candles yet. Drop files above, or try the made-up market: the command{" "}
          <code>backcast sample</code> imports it.
        </p>
      )}
      {chosen !== undefined && <CryptoPanel key={chosen.symbol} crypto={chosen} />}
      {listed !== undefined && listed.length > 0 && <CryptosTable query={query} cryptos={listed} />}
    </main>
  );
}
