import { useEffect, useRef, useState } from "preact/hooks";
import { type Explanation, explain } from "../../api/explain";
import { COMPARED } from "../../api/one_stream";
import { followRun, RUN_BACKTESTS } from "../../api/run_stream";
import type { BacktestSpec } from "../../api/stubs/backcast/backtest/v1/backtest_spec_pb";
import { Detail, type Metrics } from "../../api/stubs/backcast/backtest/v1/result_pb";
import type { RunBacktestsResponse } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { RunSummary } from "../../api/stubs/backcast/gateway/v1/run_events_pb";
import { token, tokenWanted } from "../../api/transport";
import { requestOf } from "../../request";
import { newRunId } from "../../started";
import type { Side } from "./address";
import { CURVE_POINTS, type Curve, MeanCurve } from "./mean_curve";

/** What has arrived of a run. */
export interface SideResults {
  readonly spec: BacktestSpec | undefined;
  readonly metrics: ReadonlyMap<string, Metrics>;
  /** The mean equity of the cryptos, once all are there. */
  readonly mean: Curve | undefined;
  readonly summary: RunSummary | undefined;
  readonly error: Explanation | undefined;
}

const NOTHING: SideResults = {
  spec: undefined,
  metrics: new Map(),
  mean: undefined,
  summary: undefined,
  error: undefined,
};

/**
 * Run the sides, one after the other, as a tab has one stream; results by the side's text. Runs go on while others are
 * added or removed. With a new token, those that are not complete are run again.
 */
export function useSides(sides: readonly Side[]): ReadonlyMap<string, SideResults> {
  const [results, setResults] = useState<ReadonlyMap<string, SideResults>>(new Map());
  const loads = useRef(new Map<string, AbortController>()).current;
  const carried = token.value;
  const stop = (text: string) => {
    loads.get(text)?.abort();
    loads.delete(text);
  };
  useEffect(() => {
    for (const text of loads.keys()) if (!sides.some((side) => side.text === text)) stop(text);
    for (const side of sides) {
      if (loads.has(side.text) || results.get(side.text)?.summary) continue;
      const abort = new AbortController();
      loads.set(side.text, abort);
      void load(side, abort.signal, (part) => {
        if (!abort.signal.aborted) setResults((before) => new Map(before).set(side.text, part));
      });
    }
  }, [JSON.stringify(sides.map(({ text }) => text)), carried]);
  useEffect(() => () => [...loads.keys()].forEach(stop), [carried]);
  return results;
}

async function load(side: Side, signal: AbortSignal, tell: (results: SideResults) => void): Promise<void> {
  let now = NOTHING;
  let metrics = new Map<string, Metrics>();
  let mean: MeanCurve | undefined;
  const become = (part: Partial<SideResults>) => {
    now = { ...now, ...part };
    tell(now);
  };
  const take = ({ event }: RunBacktestsResponse) => {
    const results =
      event.case === "result" ? [event.value] : event.case === "results" ? event.value.results : [];
    for (const { symbol, metrics: figures, equityCurve } of results) {
      if (figures) metrics.set(symbol, figures);
      if (equityCurve) mean?.add(equityCurve);
    }
    if (event.case === "started") {
      const spec = event.value.request?.spec;
      if (spec) mean = new MeanCurve(spec);
      become({ spec });
    }
    // A run is passed on once it is complete, because it is compared with other runs.
    if (event.case === "summary") become({ summary: event.value, metrics, mean: mean?.curve() });
  };
  const asked = async () => {
    const { request, problems } = await requestOf(side.query);
    const [problem] = Object.values(problems);
    if (problem !== undefined) throw new Error(problem);
    return { ...request, detail: Detail.EQUITY, curvePoints: CURVE_POINTS };
  };
  try {
    await followRun(
      RUN_BACKTESTS,
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
        failed: (error) => {
          if (error.wantsToken) tokenWanted.value = true;
          become({ error });
        },
      },
      signal,
      { priority: COMPARED },
    );
  } catch (error) {
    become({ error: explain(error) });
  }
}
