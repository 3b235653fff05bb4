import { useId, useMemo, useRef, useState } from "preact/hooks";
import type { Crypto } from "../api/stubs/backcast/marketdata/v1/crypto_pb";
import { count, counted } from "../format";
import { symbolsOf } from "../spec";
import { ButtonList } from "./button_list";

interface Props {
  /** The name in the query of the address. */
  name: string;
  /** Symbols as in the address, separated by commas; empty for all. */
  value: string;
  onChange: (value: string) => void;
  cryptos: readonly Crypto[] | undefined;
  problem: string | undefined;
}

const MOST_SHOWN = 50;

/** Chooses cryptos: all, or those that are searched for and picked one by one. */
export function CryptoPicker({ name, value, onChange, cryptos, problem }: Props) {
  const id = useId();
  const [search, setSearch] = useState("");
  const chosen = symbolsOf(value);
  const wanted = search.trim().toUpperCase();
  const found = useMemo(() => {
    if (wanted === "" || cryptos === undefined) return [];
    const starts = cryptos.filter(({ symbol }) => symbol.startsWith(wanted));
    const within = cryptos.filter(({ symbol }) => symbol.indexOf(wanted) > 0);
    return [...starts, ...within];
  }, [wanted, cryptos]);
  const root = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const goToField = () => field.current?.focus();
  const choose = (symbols: readonly string[]) => onChange([...new Set(symbols)].join(","));

  return (
    <div class="field" data-field={name} ref={root}>
      <label for={id}>Cryptos</label>
      <input
        id={id}
        ref={field}
        type="search"
        autocomplete="off"
        spellcheck={false}
        placeholder={
          chosen.length > 0
            ? "add another one"
            : cryptos === undefined
              ? "all"
              : `all ${count(cryptos.length)}: type to choose`
        }
        value={search}
        aria-describedby={`${id}-says`}
        aria-invalid={problem !== undefined}
        onInput={(event) => setSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && wanted !== "") {
            event.preventDefault();
            // Several can be typed or pasted; the gateway reads other spellings too.
            const typed = symbolsOf(search);
            choose([...chosen, ...(typed.length === 1 && found[0] ? [found[0].symbol] : typed)]);
            setSearch("");
          } else if (event.key === "Backspace" && search === "" && chosen.length > 0) {
            choose(chosen.slice(0, -1));
          } else if (event.key === "Escape") setSearch("");
          else if (event.key === "ArrowDown" && found.length > 0) {
            event.preventDefault();
            root.current?.querySelector<HTMLElement>(".found button")?.focus();
          }
        }}
      />
      {found.length > 0 && (
        <ButtonList
          key={wanted}
          class="found"
          label="Cryptos found"
          onLeave={(key) => {
            if (key === "Escape") setSearch("");
            goToField();
          }}
        >
          {found.length > 1 && (
            <li>
              <button type="button" onClick={() => choose([...chosen, ...found.map(({ symbol }) => symbol)])}>
                Take all {count(found.length)}
              </button>
            </li>
          )}
          {found.slice(0, MOST_SHOWN).map(({ symbol }) => (
            <li key={symbol}>
              <button
                type="button"
                aria-pressed={chosen.includes(symbol)}
                onClick={() =>
                  choose(
                    chosen.includes(symbol) ? chosen.filter((one) => one !== symbol) : [...chosen, symbol],
                  )
                }
              >
                {symbol}
                <span aria-hidden="true">{chosen.includes(symbol) ? " ✓" : ""}</span>
              </button>
            </li>
          ))}
        </ButtonList>
      )}
      {wanted !== "" && found.length === 0 && cryptos !== undefined && (
        <p class="quiet">No crypto has "{search.trim()}" in its symbol.</p>
      )}
      {chosen.length > 0 && (
        <ButtonList class="chosen" label="Chosen cryptos">
          {chosen.slice(0, MOST_SHOWN).map((symbol) => (
            <li key={symbol}>
              <button
                type="button"
                aria-label={`Remove ${symbol}`}
                onClick={() => {
                  // This button goes away, and with it the focus.
                  goToField();
                  choose(chosen.filter((one) => one !== symbol));
                }}
              >
                {symbol} <span aria-hidden="true">×</span>
              </button>
            </li>
          ))}
          {chosen.length > MOST_SHOWN && <li>and {counted(chosen.length - MOST_SHOWN, "more", "more")}</li>}
          <li>
            <button
              type="button"
              class="link"
              onClick={() => {
                goToField();
                choose([]);
              }}
            >
              all of them
            </button>
          </li>
        </ButtonList>
      )}
      <p id={`${id}-says`} class={problem === undefined ? "unseen" : "problem"}>
        {problem ??
          "Type a part of a symbol; Enter takes the first one, arrows go through the list. None means all."}
      </p>
    </div>
  );
}
