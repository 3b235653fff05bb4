/** The verdict on the winner of a sweep, in words: those of the command's. */

import type { SweepStarted } from "../../api/stubs/backcast/gateway/v1/backtest_service_pb";
import type { Overfitting, SelectionBias, SweepTrial } from "../../api/stubs/backcast/gateway/v1/sweep_pb";
import { counted, decimal, percent } from "../../format";
import type { MetricInfo } from "../../metrics";

/** Deflated Sharpe ratio from which on a winner counts as more than selection bias. */
const MORE_THAN_BIAS = 0.95;
/** Probabilities of overfitting. */
const CHANCE = 0.5;
const LOW = 0.05;

export type Judgement = "good" | "fair" | "bad";

/** A number, and what it says. */
export interface Verdict {
  readonly name: string;
  readonly value: string;
  readonly judgement: Judgement;
  readonly sentence: string;
}

/** The winner's Sharpe ratio against selection bias, in sentences. */
export function selectionBiasSentence(bias: SelectionBias, winner: SweepTrial, metric: MetricInfo): string {
  const by = metric.name === "sharpe_ratio" ? "" : ` by ${metric.label}`;
  const trials = counted(bias.trialCount, "trial");
  const sharpe = winner.train?.sharpeRatio;
  if (bias.expectedMaximumSharpeRatio === undefined || sharpe === undefined)
    return `The winner was chosen${by} from ${trials}: too few to estimate the selection bias.`;
  return (
    `The winner was chosen${by} from ${trials}: its Sharpe ratio is ${decimal(sharpe)}. ` +
    `Without any skill, the best of so many is expected to have ${decimal(bias.expectedMaximumSharpeRatio)}.`
  );
}

export function deflatedVerdict(probability: number): Verdict {
  const good = probability >= MORE_THAN_BIAS;
  return {
    name: "Deflated Sharpe ratio",
    value: probability.toFixed(3),
    judgement: good ? "good" : "bad",
    sentence: good
      ? "0.95 or above: hardly selection bias alone."
      : "Below 0.95: perhaps selection bias alone.",
  };
}

export function overfittingVerdict({ probability, splitCount, combinationCount }: Overfitting): Verdict {
  const [judgement, verdict]: [Judgement, string] =
    probability >= CHANCE
      ? ["bad", "No better than the 0.5 of chance"]
      : probability <= LOW
        ? ["good", "Low: chance is 0.5"]
        : ["fair", "Better than the 0.5 of chance, but not low"];
  return {
    name: "Probability of overfitting",
    value: probability.toFixed(3),
    judgement,
    sentence:
      `${verdict}. In this share of ${counted(splitCount, "split")} of the time into halves, the best of ` +
      `${counted(combinationCount, "combination")} in one half was not above the median in the other.`,
  };
}

/** How the window is cut, as the end of a sentence; empty if it is not. */
export function cutWords({ request }: SweepStarted): string {
  switch (request?.cut.case) {
    case "split":
      return `, the first ${percent(request.cut.value, 0)} to rank by, the rest to test`;
    case "foldCount":
      return `, a walk-forward of ${counted(request.cut.value, "fold")}`;
    default:
      return "";
  }
}
