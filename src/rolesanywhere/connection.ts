/**
 * Connections to the service: TCP, a proxy's tunnel where one is used, TLS.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { HelperError } from "../errors.ts";
import { type ByteStream, HttpProtocolError, requestTunnel } from "./http_exchange.ts";
import { connectTcp } from "./tcp_connection.ts";

/** How a connection is made. */
export interface ConnectionOptions {
  /** False accepts any server certificate. */
  readonly verifyServer: boolean;
  /** PEM certificates trusted beside the system's. */
  readonly extraAuthorities: readonly string[];
  /** An `http://` proxy that tunnels. */
  readonly proxy?: URL;
}

/** Time to a connection, milliseconds. */
export const CONNECT_TIMEOUT = 5_000;

/**
 * Connects to the host of `url`, through the proxy if there is one. `onStream` is given every stream
 * as soon as it stands, so that the caller can close it at any time.
 *
 * Throws `network` and `network-timeout` errors, and what TLS throws.
 */
export async function connect(
  url: URL,
  options: ConnectionOptions,
  onStream: (stream: ByteStream) => void,
): Promise<ByteStream> {
  const peer = options.proxy ?? url;
  const connection = await connectInTime(peer);
  onStream(connection);
  // Else the request waits for the end of the handshake to be acknowledged, 40 ms.
  connection.setNoDelay(true);
  if (options.proxy) await openTunnel(connection, url, options.proxy);
  if (url.protocol === "http:") return connection;
  const hostname = bareHost(url);
  if (options.verifyServer) {
    const secure = await Deno.startTls(connection, {
      hostname,
      caCerts: [...options.extraAuthorities],
      alpnProtocols: ["http/1.1"],
    });
    onStream(secure);
    await secure.handshake();
    return secure;
  }
  const { startUnverifiedTls } = await import("./unverified_tls.ts");
  const secure = startUnverifiedTls(connection, hostname);
  onStream(secure);
  await secure.handshake();
  return secure;
}

async function connectInTime(peer: URL): Promise<Deno.TcpConn> {
  const connecting = connectTcp(bareHost(peer), portOf(peer));
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(
      new HelperError(
        "network-timeout",
        `no connection to ${peer.host} within ${CONNECT_TIMEOUT / 1000} s; ` +
          "check the network, --endpoint and proxies",
      ),
    );
    connecting.then((connection) => connection.close(), () => {});
  }, CONNECT_TIMEOUT);
  try {
    return await Promise.race([connecting, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function openTunnel(connection: Deno.TcpConn, url: URL, proxy: URL): Promise<void> {
  const target = `${url.hostname}:${portOf(url)}`;
  const headers = new Map([["host", target]]);
  if (proxy.username !== "") {
    const words = `${decoded(proxy.username)}:${decoded(proxy.password)}`;
    headers.set("proxy-authorization", `Basic ${encodeBase64(words)}`);
  }
  const status = await requestTunnel(connection, { method: "CONNECT", target, headers })
    .catch((cause) => {
      if (!(cause instanceof HttpProtocolError)) throw cause;
      const sentence = `the proxy ${proxy.host} does not answer as an HTTP proxy`;
      throw new HelperError("network", `${sentence}; check the proxy variables`, { cause });
    });
  if (status < 200 || status > 299) {
    throw new HelperError(
      "network",
      `the proxy ${proxy.host} answered ${status} when asked to connect to ${target}` +
        (status === 407 ? "; give a user and password in the proxy variable" : ""),
    );
  }
}

/** A URL's user or password, percent-decoded where it is encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that stands for itself
  }
}

/** The host without the brackets of an IPv6 address. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === "https:" ? 443 : 80);
}
