import { useId, useMemo, useRef, useState } from "preact/hooks";
import type { Crypto } from "../api/stubs/backcast/marketdata/v1/crypto_pb";
import { count, counted } from "../format";
import { symbolsOf } from "../spec";

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
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  /** Go to one of the cryptos found; before the first one is the field. */
  const goTo = (place: number) => {
    const buttons = list.current?.querySelectorAll("button") ?? [];
    if (place < 0) field.current?.focus();
    else buttons[Math.min(place, buttons.length - 1)]?.focus();
  };
  const onListKey = (event: KeyboardEvent) => {
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    const place = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step !== undefined) goTo(place + step);
    else if (event.key === "Escape") {
      setSearch("");
      goTo(-1);
    } else return;
    event.preventDefault();
  };
  const choose = (symbols: readonly string[]) => onChange([...new Set(symbols)].join(","));

  return (
    <div class="field" data-field={name}>
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
            goTo(0);
          }
        }}
      />
      {found.length > 0 && (
        <ul class="found" aria-label="Cryptos found" ref={list} onKeyDown={onListKey}>
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
        </ul>
      )}
      {wanted !== "" && found.length === 0 && cryptos !== undefined && (
        <p class="quiet">No crypto has "{search.trim()}" in its symbol.</p>
      )}
      {chosen.length > 0 && (
        <ul class="chosen" aria-label="Chosen cryptos">
          {chosen.slice(0, MOST_SHOWN).map((symbol) => (
            <li key={symbol}>
              <button
                type="button"
                aria-label={`Remove ${symbol}`}
                onClick={() => {
                  // This button goes away, and with it the focus.
                  goTo(-1);
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
                goTo(-1);
                choose([]);
              }}
            >
              all of them
            </button>
          </li>
        </ul>
      )}
      <p id={`${id}-says`} class={problem === undefined ? "unseen" : "problem"}>
        {problem ??
          "Type a part of a symbol; Enter takes the first one, arrows go through the list. None means all."}
      </p>
    </div>
  );
}
