/** The calls of portfolios, and what their events bring. */

import { createClient } from "@connectrpc/connect";
import type { RunMethod } from "./run_stream";
import {
  PortfolioService,
  type RunPortfolioRequest,
  type RunPortfolioResponse,
} from "./stubs/backcast/gateway/v1/portfolio_service_pb";
import { transport } from "./transport";

const portfolios = createClient(PortfolioService, transport);

export const RUN_PORTFOLIO: RunMethod<RunPortfolioRequest, RunPortfolioResponse> = {
  noun: "portfolio",
  start: (request, runId, signal) => portfolios.runPortfolio({ ...request, runId }, { signal }),
  eventOf: ({ portfolioEvent }) => portfolioEvent,
};

/** Add the next part of a result to what has come of it: further elements of its lists. */
export function addPart(whole: object, part: object): void {
  const into = whole as Record<string, unknown>;
  for (const [name, value] of Object.entries(part)) {
    const known = into[name];
    if (Array.isArray(known)) for (const each of value as unknown[]) known.push(each);
    else if (typeof value === "object" && value !== null) {
      if (typeof known === "object" && known !== null) addPart(known, value);
      else into[name] = value;
    }
  }
}
