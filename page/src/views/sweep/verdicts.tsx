import { Notice } from "../../components/notice";
import { METRICS, type MetricInfo } from "../../metrics";
import type { SweepSnapshot } from "../../state/sweep";
import { sweptValues, valueWords } from "./links";
import { deflatedVerdict, overfittingVerdict, selectionBiasSentence, type Verdict } from "./words";

/** How much of the winner's figure selection bias explains: a number and a sentence each. */
export function Verdicts({ shown, rank }: { shown: SweepSnapshot; rank: MetricInfo }) {
  const { summary, started } = shown;
  if (summary === undefined) return null;
  const { winner, selectionBias: bias, walkForward: walk, overfitting } = summary;
  const deflated = bias?.deflatedSharpeRatio ?? walk?.deflatedSharpeRatio;
  const untested =
    started?.request?.cut.case !== undefined &&
    winner !== undefined &&
    METRICS.every(({ field }) => winner.test?.[field] === undefined);
  return (
    <section class="stack" aria-labelledby="verdict">
      <h2 id="verdict">Selection bias</h2>
      {winner === undefined ? (
        <p>No trial has a rank by {rank.label}.</p>
      ) : (
        <p>
          The best trial: <strong>{valueWords(sweptValues(shown, winner.valueIndexes))}</strong> on{" "}
          <strong>{winner.symbol}</strong>, with a {rank.label} of{" "}
          <strong>{rank.show(winner.train?.[rank.field])}</strong>
          {winner.test !== undefined && !untested && (
            <>
              {" "}
              and of <strong>{rank.show(winner.test[rank.field])}</strong> in the test part
            </>
          )}
          . {bias !== undefined && selectionBiasSentence(bias, winner, rank)}
        </p>
      )}
      {untested && (
        <Notice kind="warning" sentence={`${winner.symbol}, the winner, has no result in the test part.`} />
      )}
      <div class="verdicts">
        {deflated !== undefined && <VerdictCard verdict={deflatedVerdict(deflated)} />}
        {overfitting !== undefined && <VerdictCard verdict={overfittingVerdict(overfitting)} />}
      </div>
    </section>
  );
}

function VerdictCard({ verdict: { name, value, judgement, sentence } }: { verdict: Verdict }) {
  return (
    <div class={`panel verdict ${judgement}`}>
      <p>
        {name} <strong>{value}</strong>
      </p>
      <p>{sentence}</p>
    </div>
  );
}
