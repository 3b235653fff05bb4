import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { Status } from "./gen/google/rpc/status_pb.js";

// docs: errors
/** What an error says: that of a call, or that of a crypto without a result. */
export interface Problem {
  code: Code;
  /** For people. */
  message: string;
  /** Of docs/errors.md; empty if the error is not Backcast's own. */
  reason: string;
  /** Of the reason. */
  metadata: Record<string, string>;
  /** The bad fields of the request. */
  fields: { field: string; description: string }[];
  /** After which trying again may help; undefined if it does not, or nobody knows. */
  retryAfterMs: number | undefined;
}

export function problemOf(error: unknown): Problem {
  const failed = ConnectError.from(error);
  const info = failed.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "backcast");
  const delay = failed.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: failed.code,
    message: failed.rawMessage,
    reason: info?.reason ?? "",
    metadata: info?.metadata ?? {},
    fields: failed.findDetails(BadRequestSchema).flatMap((request) => request.fieldViolations),
    retryAfterMs: delay && Number(delay.seconds) * 1e3 + delay.nanos / 1e6,
  };
}

/** Return the status of a `failure` event as the error that a call would have. */
export function errorOf(status: Status): ConnectError {
  const error = new ConnectError(status.message, status.code);
  error.details = status.details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  return error;
}
// docs: end

export function textOf({ code, reason, message, fields }: Problem): string {
  return [
    `${Code[code]} ${reason}: ${message}`,
    ...fields.map(({ field, description }) => `  ${field}: ${description}`),
  ].join("\n");
}
