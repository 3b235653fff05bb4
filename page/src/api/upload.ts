/** The import of a file: POST /import of the page's server, and its report. */

import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Explanation, explain } from "./explain";
import { token } from "./transport";

/** The report on a file, as the command prints it; `notes` are breaks and rejected rows. */
export interface ImportReport {
  readonly name: string;
  readonly symbol: string;
  readonly format: string;
  readonly candles: number;
  readonly inserted: number;
  readonly corrected: number;
  readonly rejected: number;
  readonly summary: string;
  readonly notes: readonly string[];
}

export interface ImportOptions {
  readonly onConflict: string;
  readonly symbol: string;
  readonly interval: string;
}

/**
 * Import a file; return its report, or why nothing was written of it.
 *
 * `tell` gets the share that is sent; it is 1 while the server reads and writes. XMLHttpRequest reports it, which
 * fetch does not.
 */
export function importFile(
  file: File,
  { onConflict, symbol, interval }: ImportOptions,
  tell: (sent: number) => void,
  signal: AbortSignal,
): Promise<ImportReport | Explanation> {
  const query = new URLSearchParams({ name: file.name });
  if (onConflict !== "") query.set("on_conflict", onConflict);
  if (symbol.trim() !== "") query.set("symbol", symbol.trim());
  if (interval.trim() !== "") query.set("interval", interval.trim());
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/import?${query}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    if (token.peek() !== "") request.setRequestHeader("authorization", `Bearer ${token.peek()}`);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => tell(total > 0 ? loaded / total : 1);
    request.upload.onload = () => tell(1);
    request.onload = () =>
      resolve(request.status === 200 ? (request.response as ImportReport) : explain(refusal(request)));
    request.onerror = () => resolve(explain(new TypeError("the connection broke")));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** An error as the Connect protocol writes it; connect keeps its own reader of it to itself. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

function refusal({ status, response }: XMLHttpRequest): ConnectError {
  const { code, message, details = [] } = (response ?? {}) as Partial<Refusal>;
  const name = (code ?? "unknown").replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const number = Code[name as keyof typeof Code] ?? Code.Unknown;
  const error = new ConnectError(message ?? `the server answered with the status ${status}`, number);
  error.details = details.map(({ type, value }) => ({ type, value: base64Decode(value) }));
  return error;
}

export function isReport(outcome: ImportReport | Explanation): outcome is ImportReport {
  return "summary" in outcome;
}
