/**
 * The way to the gateway: gRPC-Web at the server that the page came from.
 *
 * In the Connect protocol, a refused call is an HTTP error, which browsers write to the console; rules that are
 * being typed are refused all the time.
 */

import type { Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { signal } from "@preact/signals";

const STORED_AS = "backcast-token";

/** The token that calls carry; empty for none. It is kept for this tab, and gone when the tab is closed. */
export const token = signal(stored());

/** True once a call was refused for want of a token that the gateway knows. */
export const tokenWanted = signal(false);

/** Let calls carry the token in `text` from now on; return what is wrong with it, in a sentence, if it is none. */
export function setToken(text: string): string | undefined {
  const pasted = bare(text);
  if (!isToken(pasted))
    return "A token has no blanks, and only letters without accents, digits and signs such as - and _. Copy it again, without quotation marks.";
  if (pasted === token.peek())
    return "The gateway does not know this token. Enter another one, or reload the page to try it again.";
  token.value = pasted;
  tokenWanted.value = false;
  sessionStorage.setItem(STORED_AS, pasted);
  return undefined;
}

/** Return a text without what is pasted with it unseen: blanks around it, and characters that have no width. */
function bare(text: string): string {
  return text.replace(/[\u00ad\u200b-\u200f\u2060\ufeff]/g, "").trim();
}

/** Tell whether a header can carry a text as a token: browsers throw at other characters, or the server refuses them. */
function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

function stored(): string {
  const kept = sessionStorage.getItem(STORED_AS) ?? "";
  return isToken(kept) ? kept : "";
}

const withToken: Interceptor = (next) => (request) => {
  if (token.peek() !== "") request.header.set("authorization", `Bearer ${token.peek()}`);
  return next(request);
};

export const transport = createGrpcWebTransport({
  baseUrl: location.origin,
  interceptors: [withToken],
});
