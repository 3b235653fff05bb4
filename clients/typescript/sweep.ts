import { create } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { type CallOptions, createClient, type Transport } from "@connectrpc/connect";
import { errorOf, problemOf, textOf } from "./errors.ts";
import type { BacktestSpec } from "./gen/backcast/backtest/v1/backtest_spec_pb.js";
import type { Strategy } from "./gen/backcast/backtest/v1/strategy_pb.js";
import { BacktestService } from "./gen/backcast/gateway/v1/backtest_service_pb.js";

export async function sweep(
  transport: Transport,
  spec: BacktestSpec,
  symbols: string[],
  options: CallOptions,
): Promise<void> {
  // docs: sweep
  const values = Array.from({ length: 26 }, (_, index) =>
    create(ValueSchema, { kind: { case: "numberValue", value: 5 + index } }),
  );
  const events = createClient(BacktestService, transport).sweepBacktests(
    { spec, symbols, ranges: [{ name: "period", values }], cut: { case: "split", value: 0.7 } },
    options,
  );
  for await (const { event } of events) {
    if (event.case === "progress") {
      console.error(`${event.value.completed + event.value.failed} of ${event.value.total}`);
    }
    if (event.case === "failure" && event.value.status !== undefined) {
      console.log(event.value.symbol, textOf(problemOf(errorOf(event.value.status))));
    }
    if (event.case === "rows") {
      for (const { strategy, test } of event.value.rows) {
        console.log(`period ${periodOf(strategy)}: Sharpe ratio ${test?.median?.sharpeRatio?.toFixed(2)}`);
      }
    }
    if (event.case === "summary" && event.value.winner !== undefined) {
      const { symbol, strategy } = event.value.winner;
      console.log(`best: ${symbol} with period ${periodOf(strategy)}`);
    }
  }
  // docs: end
}

function periodOf(strategy: Strategy | undefined): number | undefined {
  return strategy?.kind.case === "rsi" ? strategy.kind.value.period : undefined;
}
