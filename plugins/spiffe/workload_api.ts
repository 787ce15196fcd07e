/**
 * Client of the SPIFFE Workload API: `FetchX509SVID`, a gRPC stream over HTTP/2.
 *
 * @module
 */
import { printable } from "../../src/errors.ts";
import { withTimeout } from "../../src/timeout.ts";
import type { Address } from "./address.ts";
import { AgentError, type FailureName } from "./errors.ts";
import { readMessages } from "./frames.ts";
import { decodeResponse, type Svid } from "./svid.ts";

/** The method's path below any host: the connection's place is the client's. */
const METHOD_URL = "http://localhost/SpiffeWorkloadAPI/FetchX509SVID";

/** The security header (SPIFFE Workload Endpoint, section 5). */
const HEADERS = {
  "content-type": "application/grpc",
  "te": "trailers",
  "workload.spiffe.io": "true",
} as const;

/** An empty request message, with its flag and length. */
const EMPTY_REQUEST = new Uint8Array(5);

/** Failures by gRPC status code. */
const STATUS_FAILURES: Readonly<Record<string, FailureName>> = {
  "7": "no-identity",
  "12": "not-workload-api",
  "14": "not-ready",
};

/**
 * Opens the stream and returns each response's SVIDs, at least one. The caller wipes their keys.
 *
 * Ends only by throwing {@link AgentError}, or the reason of `signal`.
 */
export async function* streamSvids(
  address: Address,
  signal: AbortSignal,
): AsyncGenerator<Svid[]> {
  const ending = new AbortController();
  // This is the place to connect to, and excludes proxies of the environment.
  using client = Deno.createHttpClient({ proxy: address, http1: false, http2: true });
  try {
    const response = await open(address, client, AbortSignal.any([signal, ending.signal]));
    if (!response.body) throw new AgentError("not-workload-api", { detail: "no body" });
    for await (const message of readMessages(withAgentErrors(response.body, signal))) {
      let svids: Svid[];
      try {
        svids = decodeResponse(message);
      } finally {
        message.fill(0);
      }
      if (svids.length === 0) throw new AgentError("no-identity", { detail: "no SVIDs" });
      yield svids;
    }
    // A status in trailers is not visible here.
    throw new AgentError("ended");
  } finally {
    ending.abort();
  }
}

async function open(
  address: Address,
  client: Deno.HttpClient,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(METHOD_URL, {
      client,
      method: "POST",
      headers: HEADERS,
      body: EMPTY_REQUEST,
      redirect: "manual",
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw await explain(address, cause);
  }
  const status = response.headers.get("grpc-status");
  if (status !== null && status !== "0") {
    await response.body?.cancel();
    const detail = printable(response.headers.get("grpc-message") ?? "", MAX_DETAIL);
    throw new AgentError(STATUS_FAILURES[status] ?? "refused-call", {
      detail: `status ${status}: ${detail}`,
    });
  }
  const type = response.headers.get("content-type") ?? "";
  if (response.status !== 200 || !/^application\/grpc(?:\+proto)?(?:;|$)/.test(type)) {
    await response.body?.cancel();
    throw new AgentError("not-workload-api", { detail: `HTTP ${response.status}` });
  }
  return response;
}

/** Maximum length of an agent's message for `--debug`, characters. */
const MAX_DETAIL = 200;

/** Returns the chunks. An error of the connection becomes {@link AgentError}. */
async function* withAgentErrors(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    signal.throwIfAborted();
    throw new AgentError("ended", { detail: "the connection failed", cause });
  }
}

/** Maximum time to find the reason of a failed connection, milliseconds. */
const EXPLANATION_TIMEOUT = 1000;

/** Returns the reason of a failed connection, by another attempt: fetch's error has only a text. */
async function explain(address: Address, cause: unknown): Promise<AgentError> {
  const attempt = connect(address).then((connection) => {
    connection.close();
    return new AgentError("no-http2", { cause });
  }, async (reason) => new AgentError(await nameFailure(address, reason), { cause: reason }));
  return await withTimeout(attempt, EXPLANATION_TIMEOUT, () => new AgentError("refused"));
}

async function nameFailure(address: Address, reason: unknown): Promise<FailureName> {
  if (reason instanceof Deno.errors.NotFound || reason instanceof Deno.errors.NotADirectory) {
    return "missing";
  }
  if (reason instanceof Deno.errors.PermissionDenied) return "forbidden";
  if (address.transport !== "unix") return "refused";
  const found = await Deno.stat(address.path).catch(() => undefined);
  return found?.isSocket === false ? "not-socket" : "refused";
}

async function connect(address: Address): Promise<Deno.Conn> {
  return address.transport === "unix"
    ? await Deno.connect({ transport: "unix", path: address.path })
    : await Deno.connect({ hostname: address.hostname, port: address.port });
}
