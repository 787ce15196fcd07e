/**
 * Sending one request to the service: connection, exchange, limits of time, and what failures mean.
 * Trust and proxies are decided here and by flags alone, never by variables that Deno would follow.
 *
 * @module
 */
import { EXIT_CODES, HelperError, messageOf } from "../errors.ts";
import { connect, type ConnectionOptions } from "./connection.ts";
import {
  type ByteStream,
  exchange,
  HttpProtocolError,
  type HttpResponse,
} from "./http_exchange.ts";
import { type Proxy, proxyLabel } from "./proxy.ts";
import type { HttpRequest } from "./request.ts";
import { withTimeout } from "../timeout.ts";

/** How requests are sent. */
export interface HttpOptions extends ConnectionOptions {
  readonly userAgent: string;
}

/** Sends one request within `timeoutMilliseconds`. */
export type SendRequest = (
  request: HttpRequest,
  timeoutMilliseconds: number,
) => Promise<HttpResponse>;

/**
 * Begins what the first TLS connection would wait for, in another thread, as the program's loader
 * does where it is known from the start that there will be a connection.
 */
export function warmUpTls(): void {
  void crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/**
 * A sender for these options. What it throws: `network` (no connection, or it broke),
 * `network-timeout`, `proxy` (it refuses), `tls` (the server's certificate or the handshake), `service-answer` (not HTTP,
 * or too large).
 */
export function createSender(options: HttpOptions): SendRequest {
  return async (request, timeoutMilliseconds) => {
    const { url } = request;
    const open: ByteStream[] = [];
    const answer = send(request, options, (stream) => open.push(stream));
    try {
      return await withTimeout(answer, timeoutMilliseconds, () => {
        throw new HelperError(
          "network-timeout",
          `no answer from ${url.host} within ${Math.ceil(timeoutMilliseconds) / 1000} s; ` +
            "check the network, --endpoint and proxies",
        );
      });
    } catch (thrown) {
      throw withProxyNote(asHelperError(thrown, url, options.proxy), options);
    } finally {
      open.reverse().forEach(closeQuietly);
      answer.catch(() => {}); // what closing does to a request that is too late
    }
  };
}

async function send(
  { url, method, headers, body }: HttpRequest,
  options: HttpOptions,
  onStream: (stream: ByteStream) => void,
): Promise<HttpResponse> {
  const stream = await connect(url, options, onStream);
  return await exchange(stream, {
    method,
    target: url.pathname + url.search,
    headers: new Map([["host", url.host], ...headers, ["user-agent", options.userAgent]]),
    body,
  });
}

function closeQuietly(stream: ByteStream): void {
  try {
    stream.close();
  } catch {
    // closed already, or become part of another stream
  }
}

/** Adds the proxy that was used, or the variable that was ignored, to an error of the connection. */
function withProxyNote(
  error: HelperError,
  { proxy, ignoredProxy }: ConnectionOptions,
): HelperError {
  if (error.exitCode !== EXIT_CODES.network.value) return error;
  const label = proxy && proxyLabel(proxy);
  const note = label && !error.message.includes(label)
    ? `connected through ${label}`
    : ignoredProxy;
  if (note === undefined) return error;
  return new HelperError(error.code, `${error.message}; ${note}`, { cause: error.cause });
}

interface Failure {
  /** What Deno, rustls or Node say. */
  readonly said: RegExp;
  readonly code: "tls" | "network";
  /** What it means for `host`, the one that was connected to. */
  readonly means: (host: string) => string;
  /** The message for a proxy, if it can fail before the proxy has connected to the service. */
  readonly atProxy?: (proxy: string) => string;
}

/** What can go wrong on the way; the first that matches decides. */
const FAILURES: readonly Failure[] = [
  {
    said: /UnknownIssuer|unable to get local issuer|self.signed/i,
    code: "tls",
    means: (host) =>
      `the TLS certificate of ${host} is signed by an authority this system does not trust; ` +
      "name the authority with --ca-bundle or install the system's CA certificates",
  },
  {
    said: /CaUsedAsEndEntity/i,
    code: "tls",
    means: (host) =>
      `the TLS certificate of ${host} is itself a CA certificate (CA:TRUE); ` +
      "issue a server certificate with it, and name the CA with --ca-bundle",
  },
  {
    said: /not valid for name|NotValidForName/i,
    code: "tls",
    means: (host) => `the TLS certificate of ${host} is for another name; check --endpoint`,
  },
  {
    said: /expired|not ?valid ?yet/i,
    code: "tls",
    means: (host) =>
      `the TLS certificate of ${host} is not valid at this time; check this machine's clock`,
  },
  {
    said: /invalid peer certificate/i,
    code: "tls",
    means: (host) =>
      `the TLS certificate of ${host} cannot be accepted; check --endpoint and --ca-bundle`,
  },
  {
    said: /HandshakeFailure|received fatal alert|InvalidContentType|corrupt message|handshake/i,
    code: "tls",
    means: (host) => `the TLS handshake with ${host} failed; check --endpoint`,
  },
  {
    said: /dns error|failed to lookup|ENOTFOUND|EAI_AGAIN|getaddrinfo/i,
    code: "network",
    means: (host) => `${host} cannot be found; check --endpoint, --region and DNS`,
    atProxy: (proxy) => `${proxy} cannot be found; check the variable and DNS`,
  },
  {
    said: /refused/i,
    code: "network",
    means: (host) => `${host} refuses connections; check --endpoint and the network`,
    atProxy: (proxy) => `${proxy} refuses connections; check the variable and the network`,
  },
];

function asHelperError(thrown: unknown, url: URL, proxy: Proxy | undefined): HelperError {
  if (thrown instanceof HelperError) return thrown;
  if (thrown instanceof HttpProtocolError) {
    return new HelperError(
      "service-answer",
      `${url.host} did not answer as the service does (${thrown.message}); check --endpoint`,
      { cause: thrown },
    );
  }
  const text = messageOf(thrown);
  const failure = FAILURES.find(({ said }) => said.test(text));
  if (!failure) {
    const sentence = `the connection to ${url.host} broke; try again`;
    return new HelperError("network", sentence, { cause: thrown });
  }
  const message = failure.atProxy && proxy
    ? failure.atProxy(proxyLabel(proxy))
    : failure.means(url.host);
  return new HelperError(failure.code, message, { cause: thrown });
}
