import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Progress } from "../api/stubs/backcast/gateway/v1/run_events_pb";
import { count, lasting, millisecondsOf } from "../format";
import { isUnderWay, type Phase } from "../state/phase";
import { useClock } from "./use_clock";

interface Props {
  /** What is known of a run or a sweep. */
  shown: {
    readonly phase: Phase;
    readonly beganAt: number;
    readonly endedAt: number | undefined;
    readonly summary: { readonly elapsed?: Duration | undefined } | undefined;
  };
  progress: Pick<Progress, "completed" | "failed" | "fromCache" | "total"> | undefined;
  noun: string;
}

/** The bar of a run, with what is done, from the cache and failed, the time, and what is left of it. */
export function ProgressBar({ shown, progress, noun }: Props) {
  const { summary, beganAt, endedAt } = shown;
  const underWay = isUnderWay(shown);
  const now = useClock(250, underWay);
  const elapsedMs =
    summary?.elapsed === undefined ? (endedAt ?? now) - beganAt : millisecondsOf(summary.elapsed);
  const total = progress?.total ?? 0;
  const done = (progress?.completed ?? 0) + (progress?.failed ?? 0);
  const share = total === 0 ? 0 : done / total;
  const leftMs = underWay && done > 0 && done < total ? (elapsedMs / done) * (total - done) : undefined;
  return (
    <div class="progress">
      <div
        class="bar"
        role="progressbar"
        aria-label={`Progress of ${noun}`}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={done}
        aria-valuetext={`${count(done)} of ${count(total)}`}
      >
        <div style={{ width: `${100 * share}%` }} />
      </div>
      <p class="row progress-words">
        <strong>
          {count(done)} of {count(total)}
        </strong>
        {(progress?.fromCache ?? 0) > 0 && <span>{count(progress?.fromCache)} from the cache</span>}
        {(progress?.failed ?? 0) > 0 && <span class="loss">{count(progress?.failed)} failed</span>}
        <span class="quiet">{lasting(elapsedMs)}</span>
        {leftMs !== undefined && <span class="quiet">about {lasting(leftMs)} left</span>}
      </p>
    </div>
  );
}
