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
export const token = signal(sessionStorage.getItem(STORED_AS) ?? "");

/** True once a call was refused for want of a token that the gateway knows. */
export const tokenWanted = signal(false);

/** Let calls carry `text` from now on. */
export function setToken(text: string): void {
  token.value = text.trim();
  tokenWanted.value = false;
  if (token.value === "") sessionStorage.removeItem(STORED_AS);
  else sessionStorage.setItem(STORED_AS, token.value);
}

const withToken: Interceptor = (next) => (request) => {
  if (token.peek() !== "") request.header.set("authorization", `Bearer ${token.peek()}`);
  return next(request);
};

export const transport = createGrpcWebTransport({
  baseUrl: location.origin,
  interceptors: [withToken],
});
