/**
 * Connections to the service: TCP, a proxy's tunnel where one is used, TLS.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { HelperError } from "../errors.ts";
import { type ByteStream, HttpProtocolError, requestTunnel } from "./http_exchange.ts";
import { type Proxy, proxyLabel } from "./proxy.ts";
import { connectTcp } from "./tcp_connection.ts";
import { withTimeout } from "../timeout.ts";

/** How a connection is made. */
export interface ConnectionOptions {
  /** False accepts any server certificate. */
  readonly verifyServer: boolean;
  /** PEM certificates trusted beside the system's. */
  readonly extraAuthorities: readonly string[];
  /** A proxy that tunnels. */
  readonly proxy?: Proxy;
  /** Names the proxy variable that is ignored, for errors. */
  readonly ignoredProxy?: string;
}

/** Time to a connection, milliseconds. */
export const CONNECT_TIMEOUT = 5_000;

/**
 * Connects to the host of `url`, through the proxy if there is one. `onStream` is given every stream
 * as soon as it stands, so that the caller can close it at any time.
 *
 * Throws `network`, `network-timeout` and `proxy` errors, and what TLS throws.
 */
export async function connect(
  url: URL,
  options: ConnectionOptions,
  onStream: (stream: ByteStream) => void,
): Promise<ByteStream> {
  const { proxy } = options;
  const connection = await connectInTime(proxy?.url ?? url, proxy ? proxyLabel(proxy) : url.host);
  onStream(connection);
  // Else the request waits for the end of the handshake to be acknowledged, 40 ms.
  connection.setNoDelay(true);
  if (proxy) await openTunnel(connection, url, proxy);
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

async function connectInTime(peer: URL, label: string): Promise<Deno.TcpConn> {
  const connecting = connectTcp(bareHost(peer), portOf(peer));
  return await withTimeout(connecting, CONNECT_TIMEOUT, () => {
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
    const credentials = `${decoded(username)}:${decoded(password)}`;
    headers.set("proxy-authorization", `Basic ${encodeBase64(credentials)}`);
  }
  const { status, headers: answered } = await requestTunnel(connection, {
    method: "CONNECT",
    target,
    headers,
  })
    .catch((cause) => {
      if (!(cause instanceof HttpProtocolError)) throw cause;
      const sentence = `${proxyLabel(proxy)} does not answer as an HTTP proxy`;
      throw new HelperError("network", `${sentence}; check the variable`, { cause });
    });
  if (status < 200 || status > 299) {
    // A proxy that refuses will refuse again; one that cannot reach the service may later.
    throw new HelperError(
      status < 500 ? "proxy" : "network",
      status === 407
        ? authenticationProblem(proxy, answered.get("proxy-authenticate") ?? "")
        : `${proxyLabel(proxy)} answered ${status} when asked to connect to ${target}`,
    );
  }
}

/** Returns the message for a 407 response, by the schemes that the proxy offers (RFC 9110, 11.7.1). */
function authenticationProblem(proxy: Proxy, offered: string): string {
  const label = proxyLabel(proxy);
  const schemes = PROXY_SCHEMES.filter((scheme) =>
    new RegExp(`(^|,)\\s*${scheme}\\b`, "i").test(offered)
  );
  if (schemes.length > 0 && !schemes.includes("Basic")) {
    return `${label} wants ${
      schemes.join(" or ")
    } authentication (407); only Basic is supported; ` +
      "use a local proxy that adds it, such as cntlm or px";
  }
  return proxy.url.username === ""
    ? `${label} wants a user and password (407); write them into the variable`
    : `${label} refuses the user and password (407); correct them in the variable`;
}

/** Authentication schemes of proxies, as registered with IANA. */
const PROXY_SCHEMES = ["Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"] as const;

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
