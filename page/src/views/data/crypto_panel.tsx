import { useEffect, useRef, useState } from "preact/hooks";
import { change, href } from "../../address";
import { marketData } from "../../api/clients";
import { type Explanation, explain } from "../../api/explain";
import { type Break, BreakState } from "../../api/stubs/backcast/marketdata/v1/break_pb";
import type { Crypto } from "../../api/stubs/backcast/marketdata/v1/crypto_pb";
import { tokenWanted } from "../../api/transport";
import { ConfirmDialog } from "../../components/confirm_dialog";
import { ErrorNotice } from "../../components/notice";
import { useLoaded } from "../../components/use_loaded";
import { count, counted, price, secondsOf, time } from "../../format";
import { setBreakCount } from "../../state/breaks";
import { cryptos } from "../../state/lists";
import { missingHours } from "./cryptos_table";

const STATES: Readonly<Record<BreakState, string>> = {
  [BreakState.UNSPECIFIED]: "unknown",
  [BreakState.DETECTED]: "detected by an import",
  [BreakState.CONFIRMED]: "confirmed",
  [BreakState.REMOVED]: "removed",
};

/** What one crypto has: its hours, and its breaks, which can be confirmed and removed. */
export function CryptoPanel({ crypto }: { crypto: Crypto }) {
  const { symbol, fingerprint, candleCount } = crypto;
  const [refused, setRefused] = useState<Explanation>();
  const [deleting, setDeleting] = useState(false);
  const missing = missingHours(crypto);

  const take = ({ breaks }: { breaks: Break[] }) => {
    setRefused(undefined);
    setBreakCount(crypto, breaks.filter(({ state }) => state !== BreakState.REMOVED).length);
    return breaks;
  };
  // The fingerprint changes with the candles.
  const {
    value: breaks,
    error: unlisted,
    set,
  } = useLoaded(
    async (signal) => take(await marketData.listBreaks({ symbol, pageSize: 10_000 }, { signal })),
    [symbol, fingerprint],
  );
  const error = refused ?? unlisted;

  const fail = (failed: unknown) => {
    const why = explain(failed);
    if (why.wantsToken) tokenWanted.value = true;
    // Whoever changes candles decides again whether to.
    setRefused(why.away ? { ...why, advice: "Nothing may have changed: try again." } : why);
  };
  const update = ({ afterTime }: Break, state: BreakState) =>
    marketData
      .updateBreak({ symbol, state, ...(afterTime && { afterTime }) })
      .then((answer) => set(take(answer)), fail);
  // The panel goes away, and with it the button that was pressed.
  const close = () => {
    change({ symbol: undefined });
    document.querySelector<HTMLElement>('.cryptos [role="grid"]')?.focus({ preventScroll: true });
  };
  const remove = () =>
    marketData.deleteCrypto({ symbol }).then(() => {
      close();
      return cryptos.reload();
    }, fail);

  return (
    <section class="panel stack" aria-label={symbol}>
      <div class="row">
        <h2>{symbol}</h2>
        <span class="quiet">
          {counted(Number(candleCount), "candle")}
          {missing > 0
            ? `, ${counted(missing, "hour")} missing between the first and the last`
            : ", none missing"}
        </span>
        <span class="spring" />
        <a class="button" href={href("run", { symbols: symbol })}>
          Backtest it
        </a>
        <button type="button" class="danger" onClick={() => setDeleting(true)}>
          Delete {symbol}
        </button>
        <button type="button" aria-label="Close" onClick={close}>
          ×
        </button>
      </div>
      {error !== undefined && !error.wantsToken && <ErrorNotice error={error} />}
      {breaks?.length === 0 && <p class="quiet">Its history has no breaks.</p>}
      {breaks !== undefined && breaks.length > 0 && (
        <>
          <p class="quiet">
            A break is where the symbol was relisted or the crypto redenominated: prices before and after are
            not comparable, and backtests close their positions before it.
          </p>
          <div class="scrolls">
            <table>
              <thead>
                <tr>
                  <th scope="col">Last candle before</th>
                  <th scope="col" class="left">
                    First candle after
                  </th>
                  <th scope="col">Close before</th>
                  <th scope="col">Open after</th>
                  <th scope="col" class="left">
                    State
                  </th>
                  <th scope="col">
                    <span class="unseen">What to do</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {breaks.map((one) => (
                  <BreakRow key={String(one.afterTime?.seconds)} shown={one} onUpdate={update} />
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
      {deleting && (
        <ConfirmDialog
          title={`Delete ${symbol}?`}
          action={`Delete ${count(candleCount)} candles`}
          onConfirm={() => void remove()}
          onClose={() => setDeleting(false)}
        >
          <p>
            Its {counted(Number(candleCount), "candle")} and what is known of its breaks are deleted. Only
            another import brings them back.
          </p>
        </ConfirmDialog>
      )}
    </section>
  );
}

function BreakRow({
  shown,
  onUpdate,
}: {
  shown: Break;
  onUpdate: (one: Break, state: BreakState) => Promise<void>;
}) {
  const { beforeTime, afterTime, close, open, state } = shown;
  const at = afterTime === undefined ? "" : time(secondsOf(afterTime));
  const actions = useRef<HTMLSpanElement>(null);
  const isPressed = useRef(false);
  // The button that was pressed goes away: the focus stays in its row.
  useEffect(() => {
    if (isPressed.current && document.activeElement === document.body)
      actions.current?.querySelector("button")?.focus();
    isPressed.current = false;
  }, [state]);
  const button = (name: string, to: BreakState) => (
    <button
      key={name}
      type="button"
      aria-label={`${name} the break at ${at}`}
      onClick={() => {
        isPressed.current = true;
        void onUpdate(shown, to);
      }}
    >
      {name}
    </button>
  );
  return (
    <tr class={state === BreakState.REMOVED ? "quiet" : undefined}>
      <td>{beforeTime === undefined ? "" : time(secondsOf(beforeTime))}</td>
      <td class="left">{at}</td>
      <td>{price(close)}</td>
      <td>{price(open)}</td>
      <td class="left">{STATES[state]}</td>
      <td>
        <span class="break-actions" ref={actions}>
          {state !== BreakState.CONFIRMED && button("Confirm", BreakState.CONFIRMED)}
          {state !== BreakState.REMOVED && button("Remove", BreakState.REMOVED)}
          {state !== BreakState.DETECTED && button("Reset", BreakState.DETECTED)}
        </span>
      </td>
    </tr>
  );
}
