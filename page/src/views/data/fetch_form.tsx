import { useEffect, useRef, useState } from "preact/hooks";
import { type Explanation, explain, sentenceOf } from "../../api/explain";
import { fetches } from "../../api/feeds";
import { tokenWanted } from "../../api/transport";
import { ChoiceField, TextField } from "../../components/fields";
import { ErrorNotice } from "../../components/notice";
import { parseTime } from "../../format";

const PAIRS = [
  { value: "", label: "those that are traded" },
  { value: "delisted", label: "also those that were traded" },
];
const HOURS = [
  { value: "", label: "those that are missing" },
  { value: "again", label: "all, and replace stored candles" },
];

/** The fields of a fetch that the form has, by their names in the request. */
const FIELDS = ["exchange", "quote", "delisted", "symbols", "start_time", "end_time", "again"] as const;

const NO_TIME = "A day such as 2020-01-31 is needed, or a time such as 2020-01-31 08:00.";

interface Props {
  /** The exchanges that feed processes fetch from; none if no feed process is there. */
  exchanges: readonly string[];
  onCreated: (fetchId: string) => void;
}

/** Starts a fetch, which a feed process takes up. */
export function FetchForm({ exchanges, onCreated }: Props) {
  const [typed, setTyped] = useState({
    ...{ exchange: "", quote: "USDT", symbols: "", since: "2020-01-01", until: "", pairs: "", hours: "" },
  });
  const [refused, setRefused] = useState<Explanation>();
  const [waits, setWaits] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  // Whoever is refused goes on at the first field that is wrong.
  const [refusals, setRefusals] = useState(0);
  useEffect(() => {
    if (refusals > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refusals]);
  const set = (field: keyof typeof typed) => (value: string) => {
    // Either a currency or symbols.
    const other = { quote: { symbols: "" }, symbols: { quote: "" } }[field as string];
    setTyped({ ...typed, ...(value.trim() !== "" && other), [field]: value });
    setRefused(undefined);
  };
  const [since, until] = [parseTime(typed.since), parseTime(typed.until)];
  const untilProblem = typed.until.trim() !== "" && until === undefined ? NO_TIME : undefined;
  const sinceProblem = since === undefined ? NO_TIME : undefined;
  // By their fields; times are called here as the form calls them.
  const problem = (field: (typeof FIELDS)[number]) =>
    refused?.violations
      .filter((one) => one.field.startsWith(`spec.${field}`))
      .map(({ description }) => sentenceOf(description.replace("end_time", "Until")))
      .join(" ") || undefined;
  const isRefused = () => setRefusals((times) => times + 1);

  const start = () => {
    if (waits) return;
    if (since === undefined || untilProblem !== undefined) return isRefused();
    setWaits(true);
    const timestamp = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
    fetches
      .createFetch({
        spec: {
          exchange: typed.exchange || (exchanges[0] ?? ""),
          quote: typed.quote,
          symbols: typed.symbols.split(/[\s,;]+/).filter((symbol) => symbol !== ""),
          startTime: timestamp(since),
          ...(until !== undefined && { endTime: timestamp(until) }),
          delisted: typed.pairs !== "",
          again: typed.hours !== "",
        },
      })
      .then(
        ({ fetch }) => {
          setRefused(undefined);
          onCreated(fetch?.fetchId ?? "");
        },
        (failed: unknown) => {
          const why = explain(failed);
          if (why.wantsToken) tokenWanted.value = true;
          setRefused(
            why.away ? { ...why, advice: "If the fetch is not in the list later, start it again." } : why,
          );
          isRefused();
        },
      )
      .finally(() => setWaits(false));
  };

  if (exchanges.length === 0)
    return (
      <p class="quiet">
        No feed process takes up fetches. <code>backcast up --follow EXCHANGE</code> or{" "}
        <code>backcast serve feed</code> starts one; <code>backcast fetch</code> fetches by itself.
      </p>
    );
  return (
    <details>
      <summary>Fetch candles from an exchange</summary>
      <form
        class="stack fetch-form"
        aria-label="Fetch candles from an exchange"
        ref={form}
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <div class="data-options">
          <ChoiceField
            label="Exchange"
            value={typed.exchange || exchanges[0]!}
            onChange={set("exchange")}
            choices={exchanges.map((name) => ({ value: name, label: name }))}
            problem={problem("exchange")}
          />
          <TextField
            label="All pairs of a currency"
            value={typed.quote}
            onChange={set("quote")}
            placeholder="none"
            help="A quote currency, such as USDT. Leave it empty to name symbols."
            problem={problem("quote")}
          />
          <ChoiceField
            label="Pairs of the currency"
            value={typed.pairs}
            onChange={set("pairs")}
            choices={PAIRS}
            problem={problem("delisted")}
          />
          <TextField
            label="Or symbols"
            value={typed.symbols}
            onChange={set("symbols")}
            placeholder="BTC/USDT, ETH/USDT"
            problem={problem("symbols")}
          />
          <TextField
            label="From"
            value={typed.since}
            onChange={set("since")}
            help="The first hour, in UTC."
            problem={sinceProblem ?? problem("start_time")}
          />
          <TextField
            label="Until"
            value={typed.until}
            onChange={set("until")}
            placeholder="now"
            help="The end of the last hour, in UTC."
            problem={untilProblem ?? problem("end_time")}
          />
          <ChoiceField
            label="Hours"
            value={typed.hours}
            onChange={set("hours")}
            help="The last 48 hours before are asked for in any case, because exchanges correct candles."
            choices={HOURS}
            problem={problem("again")}
          />
        </div>
        {refused !== undefined && !refused.wantsToken && !FIELDS.some(problem) && (
          <ErrorNotice error={refused} />
        )}
        <p class="row">
          {/* It keeps the focus while the answer is awaited: a disabled button would lose it. */}
          <button type="submit" class="primary" aria-disabled={waits}>
            Fetch
          </button>
        </p>
      </form>
    </details>
  );
}
