import { useMemo } from "preact/hooks";
import { Scrolls } from "../../components/scrolls";
import { percent, time } from "../../format";
import type { Curves } from "./crypto_chart";
import { DRAWDOWN_DEFINITION, worstDrawdowns } from "./drawdowns";

const MOST = 10;

/** The deepest drawdowns of the equity, with how long each lasted. */
export function DrawdownsTable({ curves, capital }: { readonly curves: Curves; readonly capital: number }) {
  const worst = useMemo(() => worstDrawdowns(curves.times, curves.equity, capital, MOST), [curves, capital]);
  const end = curves.times.at(-1) ?? 0;
  return (
    <section class="stack" aria-labelledby="drawdowns">
      <h2 id="drawdowns">Worst drawdowns</h2>
      {worst.length === 0 ? (
        <p>The equity never fell below a peak.</p>
      ) : (
        <Scrolls label="Drawdowns by depth">
          <table class="plain-table">
            <thead>
              <tr>
                <th scope="col">Depth</th>
                <th scope="col">Peak</th>
                <th scope="col">Lowest</th>
                <th scope="col">Recovered</th>
                <th scope="col">Length</th>
                <th scope="col">Recovery</th>
              </tr>
            </thead>
            <tbody>
              {worst.map(({ peak, trough, recovered, depth }) => (
                <tr key={peak}>
                  <td>{percent(depth)}</td>
                  <td>{time(peak)}</td>
                  <td>{time(trough)}</td>
                  <td>{recovered === undefined ? "not yet" : time(recovered)}</td>
                  <td>{recovered === undefined ? `${long(end - peak)} so far` : long(recovered - peak)}</td>
                  <td>
                    {recovered === undefined ? `${long(end - trough)} so far` : long(recovered - trough)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      <details>
        <summary>What a drawdown is</summary>
        <p class="quiet">{DRAWDOWN_DEFINITION}</p>
      </details>
    </section>
  );
}

/** 3 d 4 h; hours are left out from 30 days on. */
function long(seconds: number): string {
  const hours = Math.round(seconds / 3600);
  const days = Math.floor(hours / 24);
  if (days === 0) return `${hours} h`;
  return days >= 30 || hours % 24 === 0 ? `${Math.round(hours / 24)} d` : `${days} d ${hours % 24} h`;
}
