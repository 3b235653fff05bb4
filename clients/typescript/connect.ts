import { readFileSync } from "node:fs";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";

// docs: connect
/** Return a transport to the gateway, over gRPC; it connects with the first call. */
export function overGrpc(): Transport {
  const {
    BACKCAST_GATEWAY_ADDRESS: address = "127.0.0.1:50051",
    BACKCAST_TLS_CA_FILE: caFile,
    BACKCAST_TLS: tls,
    BACKCAST_TOKEN: token,
  } = process.env;
  const withTls = caFile !== undefined || tls === "1";
  if (token !== undefined && !withTls) throw new Error("a token is not sent in plaintext");
  return createGrpcTransport({
    baseUrl: `${withTls ? "https" : "http"}://${address}`,
    nodeOptions: caFile === undefined ? {} : { ca: readFileSync(caFile) },
    interceptors: token === undefined ? [] : [withToken(token)],
    // A machine that has vanished is noticed within 40 seconds.
    pingIntervalMs: 20_000,
    pingTimeoutMs: 20_000,
  });
}

function withToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}

/** Return a transport to the page's process, such as http://127.0.0.1:8080, by the Connect protocol. */
export function overConnect(url: string): Transport {
  return createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
}
// docs: end
