/** The portfolio that the page shows. */

import { addPart, RUN_PORTFOLIO } from "../api/portfolios";
import type { PortfolioResult } from "../api/stubs/backcast/backtest/v1/portfolio_pb";
import type {
  PortfolioProgress,
  PortfolioStarted,
  PortfolioSummary,
  RunPortfolioRequest,
  RunPortfolioResponse,
} from "../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import { type Followed, FollowedRun } from "./followed_run";

interface PortfolioContent {
  started: PortfolioStarted | undefined;
  progress: PortfolioProgress | undefined;
  /** The parts of the result that are there, if there are further ones. */
  parts: PortfolioResult | undefined;
  result: PortfolioResult | undefined;
  summary: PortfolioSummary | undefined;
}

export type PortfolioSnapshot = Followed & Readonly<PortfolioContent>;

export const portfolio = new FollowedRun<PortfolioContent, RunPortfolioRequest, RunPortfolioResponse>(
  RUN_PORTFOLIO,
  () => ({
    started: undefined,
    progress: undefined,
    parts: undefined,
    result: undefined,
    summary: undefined,
  }),
  take,
);

function take(content: PortfolioContent, { event, resultContinues }: RunPortfolioResponse): boolean {
  switch (event.case) {
    case "started":
      content.started = event.value;
      break;
    case "progress":
      content.progress = event.value;
      break;
    case "result":
      content.parts = event.value;
      break;
    case "resultContinuation":
      if (content.parts !== undefined) addPart(content.parts, event.value);
      break;
    case "summary":
      content.summary = event.value;
      break;
  }
  if (content.parts === undefined || resultContinues) return false;
  content.result = content.parts;
  content.parts = undefined;
  return true;
}
