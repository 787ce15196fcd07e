/**
 * HTTP client for one request to the service: connection, exchange, timeout, and error messages. Only
 * flags decide trust and proxies, never environment variables that Deno would follow.
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
import { proxyLabel } from "./proxy.ts";
import type { HttpRequest } from "./request.ts";
import { withOperationTimeout, withTimeout } from "../timeout.ts";

/** Options of the client. */
export interface HttpOptions extends ConnectionOptions {
  readonly userAgent: string;
  /** The flag that names the endpoint, for messages; default `--endpoint`. */
  readonly endpointSetting?: string;
  /** The source of the host's name, for messages; default {@link endpointSetting}. */
  readonly hostSetting?: string;
}

/** Function that sends one request within `timeoutMilliseconds`. */
export type SendRequest = (
  request: HttpRequest,
  timeoutMilliseconds: number,
) => Promise<HttpResponse>;

/**
 * Returns a sender for these options. It throws `network` (no connection, or a broken one),
 * `network-timeout` and `proxy` (refused). It throws `tls` (server certificate or handshake) and
 * `service-answer` (not HTTP, or too large).
 */
export function createSender(options: HttpOptions): SendRequest {
  return async (request, timeoutMilliseconds) => {
    const { url } = request;
    const { endpointSetting = "--endpoint" } = options;
    // Node's TLS, for unverified servers, does not keep the event loop running: 27 of 60 runs ended.
    const wait = options.verifyServer ? withOperationTimeout : withTimeout;
    const open: ByteStream[] = [];
    const response = send(request, options, (stream) => open.push(stream));
    try {
      return await wait(response, timeoutMilliseconds, () => {
        throw new HelperError(
          "network-timeout",
          `no response from ${url.host} within ${Math.ceil(timeoutMilliseconds) / 1000} s; ` +
            `check the network, ${endpointSetting} and proxies`,
        );
      });
    } catch (thrown) {
      throw addProxyNote(toHelperError(thrown, url, options), options);
    } finally {
      open.reverse().forEach(closeQuietly);
      response.catch(() => {}); // after a timeout, closing the streams rejects it
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
    // already closed, or taken over by another stream
  }
}

/** Adds the used proxy, or the ignored variable, to a connection error. */
function addProxyNote(
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

/** Error message for a failed connection. */
interface Failure {
  /** Message of Deno, rustls or Node. */
  readonly pattern: RegExp;
  readonly code: "tls" | "network";
  /** Returns our message for the `host` of the connection; `flag` names the endpoint, `source` the host. */
  readonly message: (host: string, flag: string, source: string) => string;
  /** Returns the message for a proxy, if the failure can happen before the tunnel is open. */
  readonly atProxy?: (proxy: string) => string;
}

/** Failures of a connection; the first match decides. */
const FAILURES: readonly Failure[] = [
  {
    pattern: /UnknownIssuer|unable to get local issuer|self.signed/i,
    code: "tls",
    message: (host) =>
      `the TLS certificate of ${host} is signed by an authority this system does not trust; ` +
      "name the authority with --ca-bundle or install the system's CA certificates",
  },
  {
    pattern: /CaUsedAsEndEntity/i,
    code: "tls",
    message: (host) =>
      `the TLS certificate of ${host} is itself a CA certificate (CA:TRUE); ` +
      "issue a server certificate with it, and name the CA with --ca-bundle",
  },
  {
    pattern: /not valid for name|NotValidForName/i,
    code: "tls",
    message: (host, flag) => `the TLS certificate of ${host} is for another name; check ${flag}`,
  },
  {
    pattern: /expired|not ?valid ?yet/i,
    code: "tls",
    message: (host) =>
      `the TLS certificate of ${host} is not valid at this time; check this machine's clock`,
  },
  {
    pattern: /invalid peer certificate/i,
    code: "tls",
    message: (host, flag) =>
      `the TLS certificate of ${host} cannot be accepted; check ${flag} and --ca-bundle`,
  },
  {
    pattern: /HandshakeFailure|received fatal alert|InvalidContentType|corrupt message|handshake/i,
    code: "tls",
    message: (host, flag) => `the TLS handshake with ${host} failed; check ${flag}`,
  },
  {
    pattern: /dns error|failed to lookup|ENOTFOUND|EAI_AGAIN|getaddrinfo/i,
    code: "network",
    message: (host, _flag, source) => `${host} cannot be found; check ${source} and DNS`,
    atProxy: (proxy) => `${proxy} cannot be found; check the variable and DNS`,
  },
  {
    pattern: /refused/i,
    code: "network",
    message: (host, flag) => `${host} refuses connections; check ${flag} and the network`,
    atProxy: (proxy) => `${proxy} refuses connections; check the variable and the network`,
  },
  {
    pattern: /unreachable|no route to host|cannot assign requested address|address is not valid/i,
    code: "network",
    message: (host, flag) => `${host} cannot be reached from here; check ${flag} and the network`,
    atProxy: (proxy) => `${proxy} cannot be reached from here; check the variable and the network`,
  },
];

function toHelperError(
  thrown: unknown,
  url: URL,
  { proxy, endpointSetting = "--endpoint", hostSetting = endpointSetting }: HttpOptions,
): HelperError {
  if (thrown instanceof HelperError) return thrown;
  if (thrown instanceof HttpProtocolError) {
    return new HelperError(
      "service-answer",
      `${url.host}: the response is not the service's (${thrown.message}); check ${endpointSetting}`,
      { cause: thrown },
    );
  }
  const text = messageOf(thrown);
  const failure = FAILURES.find(({ pattern }) => pattern.test(text));
  if (!failure) {
    const sentence = url.protocol === "http:"
      ? `the connection to ${url.host} broke; check ${endpointSetting}: does the port expect https?`
      : `the connection to ${url.host} broke; check ${endpointSetting} and the network, or try again`;
    return new HelperError("network", sentence, { cause: thrown });
  }
  const message = failure.atProxy && proxy
    ? failure.atProxy(proxyLabel(proxy))
    : failure.message(url.host, endpointSetting, hostSetting);
  return new HelperError(failure.code, message, { cause: thrown });
}
