import { randomUUID } from "node:crypto";

import { type EmulatedResponse, errorAnswer, jsonResponse } from "./answer.ts";
import { type Certificate, readCertificates } from "./certificate.ts";
import { type FailureMode, FAILURES } from "./failures.ts";
import { BadHttp, HttpConnection } from "./http_connection.ts";
import { sendWithoutDelay } from "./no_delay.ts";
import { headerValues, type RawRequest } from "./raw_request.ts";
import { Refusal, type RefusalReason } from "./refusals.ts";
import { createSession, type SessionBody, type SessionCredentials } from "./session.ts";
import { verifyRequest } from "./verify_request.ts";

/** Options of an emulator. */
export interface EmulatorOptions {
  /** PEM; each may hold several certificates. */
  readonly trustAnchors: readonly string[];
  /** PEM of the server's certificate (not a CA's) and key. Absent: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** The region of the emulated endpoint. */
  readonly region: string;
  /** Default: the machine's clock. */
  readonly clock?: () => Date;
  /** Maximum difference between a request's date and the clock, milliseconds; default the service's 5 minutes. */
  readonly clockSkew?: number;
  /** Default 0: a free one. */
  readonly port?: number;
  /** The endpoint's path before `/sessions`, e.g. `/prefix`. */
  readonly pathPrefix?: string;
  /** Added to every response. */
  readonly latencyMilliseconds?: number;
  /** Lifetime of all sessions, whatever the request, in seconds; like the maximum of a role. */
  readonly sessionSeconds?: number;
}

/** A session that was sent completely. */
export interface IssuedSession {
  readonly roleArn: string;
  readonly credentials: SessionCredentials;
}

/** Received request and its result. */
export interface RecordedRequest extends RawRequest {
  /** Time when it had been read, by the emulator's clock. */
  readonly time: Date;
  /** The rule that the request broke, even if a failure mode replaced the response. */
  readonly refusal: { readonly reason: RefusalReason; readonly message: string } | null;
  /** The failure mode of the response. */
  readonly failure: FailureMode | null;
  /** `status` is 0 and `code` null if no response was sent; `code` is null on success. */
  readonly outcome: { readonly status: number; readonly code: string | null };
}

interface QueuedFailure {
  readonly mode: FailureMode;
  readonly milliseconds: number;
  remaining: number;
}

/**
 * Emulator of `POST /sessions` of AWS IAM Roles Anywhere on 127.0.0.1. It verifies the whole of
 * each request from AWS's public documentation, and fails on demand in the ways of `FAILURES`.
 */
export class CreateSessionEmulator implements AsyncDisposable {
  /** Every request in order of arrival. */
  readonly requests: RecordedRequest[] = [];
  /** The credentials of every session that was sent completely, in order. */
  readonly issued: SessionCredentials[] = [];
  /** The same, with their roles. */
  readonly sessions: IssuedSession[] = [];
  /** ARNs of profiles that are refused. */
  readonly refusedProfiles = new Set<string>();
  readonly port: number;
  /** Endpoint for clients: scheme, `localhost`, port and path prefix. */
  readonly url: string;

  readonly #options: EmulatorOptions;
  readonly #trustAnchors: readonly Certificate[];
  readonly #listener: Deno.Listener;
  readonly #connections = new Set<HttpConnection>();
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  #failures: QueuedFailure[] = [];

  /**
   * Starts an emulator; it is ready when the promise resolves. Rejects if the port is taken or a PEM is
   * broken.
   */
  static start(options: EmulatorOptions): Promise<CreateSessionEmulator> {
    return Promise.try(() => new CreateSessionEmulator(options));
  }

  private constructor(options: EmulatorOptions) {
    this.#options = options;
    this.#trustAnchors = options.trustAnchors.flatMap(readCertificates);
    if (this.#trustAnchors.length === 0) throw new TypeError("no trust anchor is given");
    const address = { hostname: "127.0.0.1", port: options.port ?? 0 };
    this.#listener = options.tls === undefined
      ? Deno.listen(address)
      : Deno.listenTls({ ...address, cert: options.tls.certificate, key: options.tls.key });
    const { port } = this.#listener.addr as Deno.NetAddr;
    this.port = port;
    if (options.tls !== undefined) sendWithoutDelay(port);
    const scheme = options.tls === undefined ? "http" : "https";
    this.url = `${scheme}://localhost:${port}${options.pathPrefix ?? ""}`;
    this.#done = this.#accept();
  }

  /**
   * Makes the next `times` requests fail, after failures that were queued before. `milliseconds` is
   * the delay of `slow`.
   */
  fail(mode: FailureMode, times = Infinity, milliseconds = 1000): void {
    if (times > 0) this.#failures.push({ mode, remaining: times, milliseconds });
  }

  /** Removes all queued failures. */
  recover(): void {
    this.#failures = [];
  }

  /** Stops listening, ends every connection, hanging ones too, and waits until all is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#done;
  }

  async #accept(): Promise<void> {
    const served: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      if (this.#closing.signal.aborted) connection.close();
      else served.push(this.#serve(new HttpConnection(connection)));
    }
    await Promise.all(served);
  }

  async #serve(connection: HttpConnection): Promise<void> {
    this.#connections.add(connection);
    try {
      for (let open = true; open;) {
        const request = await connection.read();
        open = request !== null && await this.#handle(connection, request);
      }
    } catch (error) {
      // Ignore clients that disconnect, refuse the certificate or do not send HTTP. Report faults of the
      // emulator itself.
      if (!isConnectionError(error)) throw error;
    } finally {
      connection.close();
      this.#connections.delete(connection);
    }
  }

  /** Returns whether the connection can be used again. */
  async #handle(connection: HttpConnection, request: RawRequest): Promise<boolean> {
    const chosen = await this.#decide(request);
    const latency = this.#options.latencyMilliseconds ?? 0;
    await wait(latency + chosen.delayMilliseconds, this.#closing.signal);
    if (chosen.delivery === "drop") return false;
    if (chosen.delivery === "hang") {
      await connection.drain();
      return false;
    }
    await connection.write(chosen);
    const [persistence = "keep-alive"] = headerValues(request, "connection");
    return chosen.delivery === "whole" && persistence.toLowerCase() !== "close";
  }

  async #decide(request: RawRequest): Promise<EmulatedResponse> {
    const time = this.#options.clock?.() ?? new Date();
    const { honest, session, refusal } = await this.#judge(request, time);
    const failure = this.#nextFailure();
    const context = { honest, session: session?.body ?? null, milliseconds: 0 };
    const chosen = failure === null
      ? honest
      : FAILURES[failure.mode]({ ...context, milliseconds: failure.milliseconds });
    const answered = chosen.delivery === "whole" || chosen.delivery === "half";
    const headerCode = chosen.headers["x-amzn-errortype"]?.split(":")[0];
    this.requests.push({
      ...request,
      time,
      refusal,
      failure: failure?.mode ?? null,
      outcome: {
        status: answered ? chosen.status : 0,
        code: answered ? headerCode ?? null : null,
      },
    });
    if (session !== null && chosen.body === honest.body && chosen.delivery === "whole") {
      this.issued.push(session.credentials);
      this.sessions.push({ roleArn: session.roleArn, credentials: session.credentials });
    }
    return { ...chosen, headers: { ...chosen.headers, "x-amzn-requestid": randomUUID() } };
  }

  async #judge(request: RawRequest, time: Date): Promise<{
    honest: EmulatedResponse;
    session: { body: SessionBody; credentials: SessionCredentials; roleArn: string } | null;
    refusal: RecordedRequest["refusal"];
  }> {
    const { region, pathPrefix = "", sessionSeconds } = this.#options;
    const { clockSkew } = this.#options;
    const rules = {
      ...{ trustAnchors: this.#trustAnchors, region, time, pathPrefix },
      ...(clockSkew === undefined ? {} : { clockSkew }),
    };
    try {
      const verified = await verifyRequest(request, rules);
      const { roleArn, profileArn } = verified;
      if (this.refusedProfiles.has(profileArn)) {
        const message = "The profile does not have the role";
        const honest = errorAnswer(403, "AccessDeniedException", message);
        return { honest, session: null, refusal: null };
      }
      const session = { ...createSession(verified, time, sessionSeconds), roleArn };
      return { honest: jsonResponse(201, session.body), session, refusal: null };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, code, message, reason } = error;
      const honest = errorAnswer(status, code, message);
      return { honest, session: null, refusal: { reason, message } };
    }
  }

  #nextFailure(): QueuedFailure | null {
    const [failure] = this.#failures;
    if (failure === undefined) return null;
    failure.remaining -= 1;
    if (failure.remaining <= 0) this.#failures.shift();
    return failure;
  }
}

function isConnectionError(error: unknown): boolean {
  if (error instanceof BadHttp) return true;
  return Object.values(Deno.errors).some((kind) => error instanceof kind);
}

/** Waits for the time, or until the signal. */
async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  const timer = setTimeout(end, milliseconds);
  signal.addEventListener("abort", end, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
