import { useMemo } from "preact/hooks";
import { change, href, type Query } from "../../address";
import type {
  OutOfSample,
  WalkForward as WalkForwardMessage,
} from "../../api/stubs/backcast/gateway/v1/sweep_pb";
import { EquityChart } from "../../charts/equity_chart";
import { ChoiceField } from "../../components/fields";
import { Notice } from "../../components/notice";
import { counted } from "../../format";
import { type MetricInfo, metricOf } from "../../metrics";
import { windowQuery, windowWords } from "../../request";
import type { SweepSnapshot } from "../../state/sweep";
import { combinationQuery, sweptValues, valueWords } from "./links";

const FIGURES = ["total_return", "buy_and_hold_return", "sharpe_ratio", "max_drawdown", "trade_count"].map(
  metricOf,
);

interface Props {
  query: Query;
  shown: SweepSnapshot;
  walk: WalkForwardMessage;
  rank: MetricInfo;
}

/** What the combinations that were chosen one fold after the other came to out of sample. */
export function WalkForward({ query, shown, walk, rank }: Props) {
  const curves = shown.outOfSample;
  const symbols = useMemo(() => curves.map(({ symbol }) => symbol).sort(), [curves, curves.length]);
  const curve = curves.find(({ symbol }) => symbol === query.curve) ?? walk.outOfSample;
  const metrics = [...new Set([rank, metricOf("total_return")])];
  // Holding is defined for every result.
  const without = curves.filter(({ metrics }) => metrics?.buyAndHoldReturn === undefined).length;
  return (
    <section class="stack" aria-labelledby="folds">
      <h2 id="folds">{`Walk-forward of ${counted(walk.folds.length, "fold")}`}</h2>
      <div class="scrolls">
        <table>
          <thead>
            <tr>
              <th scope="col">Chosen on</th>
              <th scope="col" class="left">
                Tested on
              </th>
              <th scope="col" class="left">
                Combination
              </th>
              {metrics.map(({ name, heading }) => (
                <>
                  <th scope="col" key={name}>
                    {heading}
                  </th>
                  <th scope="col" key={`test.${name}`}>
                    {heading}, test
                  </th>
                </>
              ))}
            </tr>
          </thead>
          <tbody>
            {walk.folds.map(({ trainWindow, testWindow, combination, valueIndexes, train, test }) => {
              const values = sweptValues(shown, valueIndexes);
              return (
                <tr key={windowWords(testWindow)}>
                  <td>{windowWords(trainWindow)}</td>
                  <td class="left">{windowWords(testWindow)}</td>
                  <td class="left">
                    {combination === undefined ? (
                      <span class="quiet">none could be chosen</span>
                    ) : (
                      <a
                        href={href("run", { ...combinationQuery(shown, values), ...windowQuery(testWindow) })}
                      >
                        {valueWords(values)}
                      </a>
                    )}
                  </td>
                  {metrics.map(({ name, field, show }) => (
                    <>
                      <td key={name}>{show(train?.[field])}</td>
                      <td key={`test.${name}`}>{show(test?.[field])}</td>
                    </>
                  ))}
                </tr>
              );
            })}
            <tr>
              <th scope="row" colSpan={3}>
                Mean of the tests
              </th>
              {metrics.map(({ name, field, show }) => (
                <>
                  <td key={name} />
                  <td key={`test.${name}`}>{show(walk.meanTest?.[field])}</td>
                </>
              ))}
            </tr>
          </tbody>
        </table>
      </div>
      {curve === undefined ? (
        <Notice
          kind="warning"
          sentence="There is no curve out of sample: no fold could choose a combination."
        />
      ) : (
        <>
          <div class="sweep-choices">
            <ChoiceField
              label="Out of sample"
              value={curve.symbol}
              onChange={(symbol) => change({ curve: symbol })}
              choices={[
                { value: "", label: "all cryptos with equal weights" },
                ...symbols.map((symbol) => ({ value: symbol, label: symbol })),
              ]}
            />
            <p class="sweep-figures">
              {FIGURES.map(({ name, heading, field, show }) => (
                <span key={name}>
                  {heading} <strong>{show(curve.metrics?.[field])}</strong>
                </span>
              ))}
            </p>
          </div>
          <Curve curve={curve} />
        </>
      )}
      {without > 0 && (
        <p class="quiet">
          {counted(without, "crypto")} of {counted(curves.length, "crypto")} {without === 1 ? "has" : "have"}{" "}
          no result out of sample, and {without === 1 ? "counts" : "count"} as 0.
        </p>
      )}
    </section>
  );
}

function Curve({ curve }: { curve: OutOfSample }) {
  const columns = useMemo(() => {
    const { openTimeS = [], equity = [], drawdown = [] } = curve.equityCurve ?? {};
    return {
      times: Float64Array.from(openTimeS, Number),
      curves: [
        {
          name: curve.symbol === "" ? "all cryptos" : curve.symbol,
          equity: Float64Array.from(equity),
          drawdown: Float64Array.from(drawdown),
        },
      ],
    };
  }, [curve]);
  return <EquityChart label="Equity out of sample" {...columns} />;
}
