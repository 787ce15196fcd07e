/**
 * Connections to the service: TCP, the tunnel of a proxy if there is one, TLS.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { HelperError } from "../errors.ts";
import { type ByteStream, HttpProtocolError, requestTunnel } from "./http_exchange.ts";
import { type Proxy, proxyLabel } from "./proxy.ts";
import { connectTcp } from "./tcp_connection.ts";
import { bareHost, decodePercent, portOf } from "./url_parts.ts";
import { withOperationTimeout } from "../timeout.ts";

/** Options of a connection. */
export interface ConnectionOptions {
  /** False accepts any server certificate. */
  readonly verifyServer: boolean;
  /** PEM certificates trusted in addition to the system's. */
  readonly extraAuthorities: readonly string[];
  /** Proxy to tunnel through. */
  readonly proxy?: Proxy;
  /** Names the proxy variable that is ignored, for errors. */
  readonly ignoredProxy?: string;
}

/** Timeout for the TCP connection, milliseconds. */
export const CONNECT_TIMEOUT = 5_000;

/**
 * Connects to the host of `url`, through the proxy if there is one. `onStream` gets every stream
 * when it is open, so that the caller can close it at any time.
 *
 * Throws `network`, `network-timeout`, `proxy`, and TLS errors.
 */
export async function connect(
  url: URL,
  options: ConnectionOptions,
  onStream: (stream: ByteStream) => void,
): Promise<ByteStream> {
  const { proxy } = options;
  const connection = await connectWithTimeout(
    proxy?.url ?? url,
    proxy ? proxyLabel(proxy) : url.host,
  );
  onStream(connection);
  // Otherwise the request waits 40 ms for the acknowledgement of the handshake.
  connection.setNoDelay(true);
  if (proxy) await openTunnel(connection, url, proxy);
  if (url.protocol === "http:") return connection;
  const hostname = bareHost(url.hostname);
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

async function connectWithTimeout(peer: URL, label: string): Promise<Deno.TcpConn> {
  const connecting = connectTcp(bareHost(peer.hostname), portOf(peer));
  return await withOperationTimeout(connecting, CONNECT_TIMEOUT, () => {
    connecting.then((connection) => connection.close(), () => {});
    throw new HelperError(
      "network-timeout",
      `no connection to ${label} within ${CONNECT_TIMEOUT / 1000} s; ` +
        "check the network, --endpoint and proxies",
    );
  });
}

async function openTunnel(connection: Deno.TcpConn, url: URL, proxy: Proxy): Promise<void> {
  const { username, password } = proxy.url;
  const target = `${url.hostname}:${portOf(url)}`;
  const headers = new Map([["host", target]]);
  if (username !== "") {
    const credentials = `${decodePercent(username)}:${decodePercent(password)}`;
    headers.set("proxy-authorization", `Basic ${encodeBase64(credentials)}`);
  }
  const { status, headers: responseHeaders } = await requestTunnel(connection, {
    method: "CONNECT",
    target,
    headers,
  })
    .catch((cause) => {
      if (!(cause instanceof HttpProtocolError)) throw cause;
      const sentence = `${proxyLabel(proxy)} did not respond as an HTTP proxy`;
      throw new HelperError("network", `${sentence}; check the variable`, { cause });
    });
  if (status < 200 || status > 299) {
    // A refusal (4xx) is permanent; a proxy that cannot reach the service (5xx) may reach it later.
    throw new HelperError(
      status < 500 ? "proxy" : "network",
      status === 407
        ? proxyAuthenticationMessage(proxy, responseHeaders.get("proxy-authenticate") ?? "")
        : `${proxyLabel(proxy)} returned status ${status} for CONNECT ${target}`,
    );
  }
}

/** Returns the message for a 407 response, by the schemes that the proxy offers (RFC 9110, 11.7.1). */
function proxyAuthenticationMessage(proxy: Proxy, offered: string): string {
  const label = proxyLabel(proxy);
  const schemes = PROXY_SCHEMES.filter((scheme) =>
    new RegExp(`(^|,)\\s*${scheme}\\b`, "i").test(offered)
  );
  if (schemes.length > 0 && !schemes.includes("Basic")) {
    return `${label} requires ${
      schemes.join(" or ")
    } authentication (407); only Basic is supported; ` +
      "use a local proxy that adds it, such as cntlm or px";
  }
  return proxy.url.username === ""
    ? `${label} requires a user and password (407); add them to the variable`
    : `${label} rejected the user and password (407); correct them in the variable`;
}

/** Authentication schemes of proxies, as registered with IANA. */
const PROXY_SCHEMES = ["Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"] as const;
