// A client of Backcast: the conventions of docs/clients.md, as a program. Take from it what you need.

import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { overConnect, overGrpc } from "./connect.ts";
import { errorOf, problemOf, textOf } from "./errors.ts";
import { type BacktestSpec, BacktestSpecSchema } from "./gen/backcast/backtest/v1/backtest_spec_pb.js";
import { Detail } from "./gen/backcast/backtest/v1/result_pb.js";
import { RunService, RunState } from "./gen/backcast/gateway/v1/run_service_pb.js";
import { follow, type Limits } from "./resume.ts";
import { sweep } from "./sweep.ts";

const USAGE = `usage: node main.ts [--connect URL] [--timeout SECONDS] [--period 14] [--start 2025-01-01] COMMAND SYMBOL…

commands:
  run      backtest the strategy, and print each result as it arrives
  cancel   the same, but cancel the run after its first result
  sweep    backtest the periods 5 to 30, and print the best
  curve    print the length of the equity curve

The gateway is BACKCAST_GATEWAY_ADDRESS (127.0.0.1:50051). BACKCAST_TLS_CA_FILE or BACKCAST_TLS=1 asks for TLS, and
BACKCAST_TOKEN is the token. With --connect, calls go to the page's process at this URL, by the Connect protocol.`;

type Command = (transport: Transport, spec: BacktestSpec, symbols: string[], limits: Limits) => Promise<void>;

const run: Command = async (transport, spec, symbols, limits) => {
  // docs: run
  for await (const { event, progress } of follow(transport, { spec, symbols }, limits)) {
    if (event.case === "started") console.error("run", event.value.runId);
    if (progress !== undefined) console.error(`${progress.completed + progress.failed} of ${progress.total}`);
    if (event.case === "result") {
      console.log(event.value.symbol, percent(event.value.metrics?.totalReturn));
    }
    if (event.case === "failure" && event.value.status !== undefined) {
      console.log(event.value.symbol, textOf(problemOf(errorOf(event.value.status))));
    }
  }
  // docs: end
};

const cancel: Command = async (transport, spec, symbols, limits) => {
  // docs: cancel
  let runId = "";
  try {
    for await (const { event } of follow(transport, { spec, symbols }, limits)) {
      if (event.case === "started") runId = event.value.runId;
      if (event.case === "result") {
        const cancelled = await createClient(RunService, transport).cancelRun({ runId });
        console.log(RunState[cancelled.run?.state ?? RunState.UNSPECIFIED]); // CANCELLED
      }
    }
  } catch (error) {
    if (ConnectError.from(error).code !== Code.Canceled) throw error;
    console.log(problemOf(error).reason); // RUN_CANCELLED
  }
  // docs: end
};

const curve: Command = async (transport, spec, symbols, limits) => {
  // docs: big results
  for await (const { event } of follow(transport, { spec, symbols, detail: Detail.EQUITY }, limits)) {
    if (event.case === "result") {
      const { symbol, equityCurve, trades } = event.value;
      console.log(`${symbol} ${equityCurve?.equity.length} points, ${trades.length} trades`);
    }
  }
  // docs: end
};

const COMMANDS: Record<string, Command> = {
  run,
  cancel,
  curve,
  sweep: (transport, spec, symbols, { signal, deadlineMs }) =>
    sweep(transport, spec, symbols, { signal, timeoutMs: deadlineMs && deadlineMs - Date.now() }),
};

function percent(fraction: number | undefined): string {
  if (fraction === undefined) return "undefined";
  return `${fraction < 0 ? "" : "+"}${(100 * fraction).toFixed(1)}%`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    connect: { type: "string" },
    timeout: { type: "string" },
    period: { type: "string", default: "14" },
    start: { type: "string" },
  },
});
const command = COMMANDS[positionals[0] ?? ""];
if (command === undefined) {
  console.error(USAGE);
  process.exit(2);
}
// Ctrl-C ends calls, as a deadline does.
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
try {
  const transport = values.connect === undefined ? overGrpc() : overConnect(values.connect);
  const spec = create(BacktestSpecSchema, {
    strategy: { kind: { case: "rsi", value: { period: Number(values.period) } } },
  });
  if (values.start !== undefined) spec.startTime = timestampFromDate(new Date(values.start));
  const deadlineMs = values.timeout === undefined ? undefined : Date.now() + 1e3 * Number(values.timeout);
  await command(transport, spec, positionals.slice(1), { signal: interrupted.signal, deadlineMs });
} catch (error) {
  console.error(error instanceof ConnectError ? textOf(problemOf(error)) : `${error}`);
  process.exitCode = 1;
}
