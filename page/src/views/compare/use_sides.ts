import { useEffect, useState } from "preact/hooks";
import { type Explanation, explain } from "../../api/explain";
import { followRun, newRunId } from "../../api/run_stream";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import type { Metrics } from "../../api/stubs/backcast/backtest/v1/result_pb";
import type { RunBacktestsResponse } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { RunSummary } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { requestOf } from "../../request";
import type { Side } from "./address";

/** What has arrived of a run. */
export interface SideResults {
  readonly spec: BacktestSpec | undefined;
  readonly metrics: ReadonlyMap<string, Metrics>;
  readonly total: number;
  readonly summary: RunSummary | undefined;
  readonly error: Explanation | undefined;
}

const NOTHING: SideResults = {
  spec: undefined,
  metrics: new Map(),
  total: 0,
  summary: undefined,
  error: undefined,
};

/** Run the sides, one after the other, as a tab has one stream; results by the side's text. */
export function useSides(sides: readonly Side[]): ReadonlyMap<string, SideResults> {
  const [results, setResults] = useState<ReadonlyMap<string, SideResults>>(new Map());
  const key = JSON.stringify(sides.map(({ text }) => text));
  useEffect(() => {
    const abort = new AbortController();
    void (async () => {
      for (const side of sides) {
        if (abort.signal.aborted) return;
        if (results.get(side.text)?.summary) continue;
        await load(side, abort.signal, (part) => {
          if (!abort.signal.aborted) setResults((before) => new Map(before).set(side.text, part));
        });
      }
    })();
    return () => abort.abort();
  }, [key]);
  return results;
}

async function load(side: Side, signal: AbortSignal, tell: (results: SideResults) => void): Promise<void> {
  let now = NOTHING;
  let metrics = new Map<string, Metrics>();
  const become = (part: Partial<SideResults>) => {
    now = { ...now, ...part };
    tell(now);
  };
  const take = ({ event, progress }: RunBacktestsResponse) => {
    const results =
      event.case === "result" ? [event.value] : event.case === "results" ? event.value.results : [];
    for (const result of results) if (result.metrics) metrics.set(result.symbol, result.metrics);
    if (event.case === "started") become({ spec: event.value.request?.spec });
    // The map is told once it is complete: its rows are compared with those of other runs.
    if (event.case === "summary") become({ summary: event.value, metrics });
    else if (results.length > 0 && progress) become({ total: progress.total });
  };
  const asked = async () => {
    const { request, problems } = await requestOf(side.query);
    const [problem] = Object.values(problems);
    if (problem !== undefined) throw new Error(problem);
    return request;
  };
  try {
    await followRun(
      newRunId(),
      asked,
      {
        event: take,
        restarted: () => {
          metrics = new Map();
          become(NOTHING);
        },
        waiting: (error) => become({ error }),
        resumed: () => become({ error: undefined }),
        failed: (error) => become({ error }),
      },
      signal,
    );
  } catch (error) {
    become({ error: explain(error) });
  }
}
