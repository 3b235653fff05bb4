import { useEffect, useState } from "preact/hooks";
import { type Explanation, explain } from "../../api/explain";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import { token } from "../../api/transport";
import { ErrorNotice } from "../../components/notice";
import { Scrolls } from "../../components/scrolls";
import { count, counted, time } from "../../format";
import { type Verdict, verify } from "./verify";

interface Props {
  readonly symbol: string;
  readonly spec: BacktestSpec;
  readonly onClose: () => void;
}

/** Verifies the backtest from its first appearance on, and shows the outcome. */
export function VerifyPanel({ symbol, spec, onClose }: Props) {
  const [progress, setProgress] = useState({ done: 0, all: 0 });
  const [verdict, setVerdict] = useState<Verdict>();
  const [error, setError] = useState<Explanation>();
  const [failed, setFailed] = useState(false);
  const carried = token.value;
  useEffect(() => {
    const own = new AbortController();
    const tell = (done: number, all: number) => {
      setProgress({ done, all });
      setError(undefined);
    };
    setFailed(false);
    verify(symbol, spec, tell, setError, own.signal).then(setVerdict, (thrown) => {
      if (own.signal.aborted) return;
      setError(explain(thrown));
      setFailed(true);
    });
    return () => own.abort();
  }, [symbol, spec, carried]);
  return (
    <section class="panel stack" aria-labelledby="verify">
      <h2 id="verify">Look-ahead</h2>
      {!verdict && !failed && (
        <div class="row">
          <progress aria-labelledby="verify" max={progress.all || 1} value={progress.done} />
          <span>{`${count(progress.done)} of ${counted(progress.all, "history", "histories")} done`}</span>
        </div>
      )}
      {error && !error.wantsToken && <ErrorNotice error={error} />}
      {verdict && <Outcome verdict={verdict} />}
      <div class="row">
        <button type="button" onClick={onClose}>
          {verdict || failed ? "Close" : "Cancel"}
        </button>
      </div>
    </section>
  );
}

function Outcome({ verdict }: { readonly verdict: Verdict }) {
  const compared = verdict.histories.reduce((sum, history) => sum + history.count, 0);
  const kinds = verdict.histories.map((history) => `${count(history.count)} ${history.fills}`).join(", ");
  if (compared === 0) return <p role="status">Nothing could be compared: the history is too short.</p>;
  if (verdict.differences.length === 0)
    return (
      <p role="status">
        <strong class="gain">No look-ahead.</strong>
        {` ${counted(compared, "shorter history", "shorter histories")} gave the same equity and trades as the whole one, ` +
          `to the last bit: ${kinds}.`}
      </p>
    );
  return (
    <>
      <p role="status">
        <strong class="loss">This run knows the future.</strong>
        {` ${count(verdict.differences.length)} of ${counted(compared, "shorter history", "shorter histories")} differ from ` +
          "the whole one."}
      </p>
      <Scrolls label="Differences">
        <table class="plain-table">
          <thead>
            <tr>
              <th scope="col">First difference</th>
              <th scope="col">In</th>
              <th scope="col">Whole history</th>
              <th scope="col">Shorter history</th>
            </tr>
          </thead>
          <tbody>
            {verdict.differences.map((difference) => (
              <tr key={`${difference.time} ${difference.shorter}`}>
                <td>{time(difference.time)}</td>
                <td>{difference.what}</td>
                <td>{difference.whole}</td>
                <td>{difference.shorter}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
    </>
  );
}
