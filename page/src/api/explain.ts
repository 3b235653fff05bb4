/** Errors as people read them: a sentence that says what is wrong, and one that says what to do. */

import { Code, ConnectError } from "@connectrpc/connect";
import { millisecondsOf } from "../format";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./stubs/google/rpc/error_details_pb";
import type { Status } from "./stubs/google/rpc/status_pb";

export interface Violation {
  /** The path of the field in the request: spec.execution.fee_rate. */
  readonly field: string;
  readonly description: string;
}

export interface Explanation {
  readonly code: Code;
  /** The reason of docs/errors.md; empty if the error is not Backcast's own. */
  readonly reason: string;
  /** True if the gateway itself is away, or the way to it: not a service that the gateway needs. */
  readonly gatewayAway: boolean;
  /** What is wrong, as a sentence. */
  readonly sentence: string;
  /** What to do about it, as a sentence; empty if the first one says it all. */
  readonly advice: string;
  /** The bad fields of a request. */
  readonly violations: readonly Violation[];
  /** Milliseconds after which trying again may help; undefined if it does not, or nobody knows. */
  readonly retryMs: number | undefined;
  /** True if the connection or a service is away, and the same call may do later. */
  readonly away: boolean;
  /** True if the gateway wants a token, or another one. */
  readonly wantsToken: boolean;
}

const ADVICE: Readonly<Record<string, string>> = {
  NO_CANDLES: "Import some first: drop files on the view Data, or use the command `backcast import FOLDER`.",
  NO_CANDLES_IN_WINDOW: "Choose another window, or leave From and Until empty.",
  TOKEN_MISSING: "Enter the token that you were given.",
  TOKEN_UNKNOWN: "Enter another token, or ask whoever runs the gateway for one.",
  RIGHT_MISSING: "Ask whoever runs the gateway for a token with this right.",
  RUN_NOT_FOUND: "It ended some time ago, or belongs to somebody else. Press Run to start one.",
  RUN_NOT_WATCHABLE: "Start it again: what was computed is in the cache.",
  FILE_TOO_LARGE: "Compress it, or use the command `backcast import FILE`, which takes larger files.",
  REQUEST_TOO_LARGE: "Ask for fewer cryptos or fewer combinations.",
  INTERNAL_ERROR: "This is a bug of Backcast; the service's log has more.",
  CANDLES_CHANGING: "Try again in a moment.",
  WORKER_DIED: "Try again; the log of the compute service has more.",
};

/** Explain what a call has thrown. */
export function explain(error: unknown): Explanation {
  const failed = ConnectError.from(error);
  const info = failed.findDetails(ErrorInfoSchema).find((one) => one.domain === "backcast");
  const delay = failed.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const reason = info?.reason ?? "";
  const { service = "" } = info?.metadata ?? {};
  const away = isAway(failed, reason);
  const violations = failed
    .findDetails(BadRequestSchema)
    .flatMap((one) => one.fieldViolations.map(({ field, description }) => ({ field, description })));
  return {
    code: failed.code,
    reason,
    gatewayAway: away && (reason === "" || ["gateway", "web"].includes(service)),
    sentence:
      away && reason === ""
        ? "The server of this page does not answer."
        : violations.length > 0
          ? violations.map(({ description }) => sentenceOf(description)).join(" ")
          : sentenceOf(failed.rawMessage),
    advice: ADVICE[reason] ?? (away ? "The page tries again by itself." : ""),
    violations,
    retryMs: delay === undefined ? undefined : millisecondsOf(delay),
    away,
    wantsToken: failed.code === Code.Unauthenticated,
  };
}

/** Return the sentence of a status within a message, such as that of a crypto without a result. */
export function sentenceOfStatus(status: Status | undefined): string {
  return sentenceOf(status?.message ?? "");
}

function isAway(error: ConnectError, reason: string): boolean {
  if (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded) return true;
  // Browsers do not say why a connection broke: fetch throws a TypeError, and a stream ends before its end.
  const broke = error.cause instanceof TypeError || /^missing (trailer|response body)/.test(error.rawMessage);
  return reason === "" && broke;
}

/** Make a sentence of a message: a capital first, a full stop last. */
export function sentenceOf(message: string): string {
  const text = message.trim();
  if (text === "") return "The call failed, and nothing says why.";
  const first = text[0]!.toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
