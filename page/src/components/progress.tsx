import type { Progress } from "../api/stubs/backcast/gateway/v1/run_events_pb";
import { count, lasting } from "../format";

interface Props {
  progress: Pick<Progress, "completed" | "failed" | "fromCache" | "total"> | undefined;
  elapsedMs: number;
  /** False once the run has ended. */
  underWay: boolean;
  noun: string;
}

/** The bar of a run, with what is done, from the cache and failed, the time, and what is left of it. */
export function ProgressBar({ progress, elapsedMs, underWay, noun }: Props) {
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
