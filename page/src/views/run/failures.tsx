import { useMemo } from "preact/hooks";
import { sentenceOfStatus } from "../../api/explain";
import type { RunFailure } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { counted } from "../../format";

const MOST_SYMBOLS = 8;

interface Props {
  failures: readonly Pick<RunFailure, "symbol" | "status">[];
  version: number;
}

/** Cryptos without a result: a line for each reason, with its symbols. */
export function Failures({ failures, version }: Props) {
  // The list grows; the version says when.
  const reasons = useMemo(() => {
    const symbolsOf = new Map<string, string[]>();
    for (const { symbol, status } of failures) {
      const reason = sentenceOfStatus(status);
      const symbols = symbolsOf.get(reason);
      if (symbols === undefined) symbolsOf.set(reason, [symbol]);
      else symbols.push(symbol);
    }
    return [...symbolsOf].map(([reason, symbols]) => ({ reason, symbols: symbols.sort() }));
  }, [failures, version]);
  return (
    <details class="panel failures" open={reasons.length <= 3}>
      <summary>
        <span class="loss">{counted(failures.length, "crypto")} without a result</span>
      </summary>
      <ul>
        {reasons.map(({ reason, symbols }) => (
          <li key={reason}>
            <strong>{symbols.slice(0, MOST_SYMBOLS).join(", ")}</strong>
            {symbols.length > MOST_SYMBOLS && ` and ${counted(symbols.length - MOST_SYMBOLS, "other")}`}:{" "}
            {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}
