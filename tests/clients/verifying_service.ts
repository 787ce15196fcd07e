import { type RawRequest } from "../emulator/raw_request.ts";
import {
  type KnownCredentials,
  SignatureRefusal,
  type VerifiedSignature,
  verifySignature,
} from "./signature_version_4.ts";

/** Result of a request: its signer, or the code of its refusal. */
export type Call = VerifiedSignature | { readonly refused: string; readonly message: string };

/** PEM of a TLS server's certificate and key. */
export interface ServerTls {
  readonly certificate: string;
  readonly key: string;
}

/** An AWS service on loopback that serves only requests signed with credentials that it knows. */
export abstract class VerifyingService implements AsyncDisposable {
  /** Every call, in order. */
  readonly calls: Call[] = [];
  /** Times of the calls, in the same order. */
  readonly callTimes: Date[] = [];
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /**
   * @param service the service's name in credential scopes
   * @param known the credentials issued so far, read at each request
   */
  protected constructor(
    readonly service: string,
    known: () => readonly KnownCredentials[],
    tls?: ServerTls,
  ) {
    const handler = async (request: Request): Promise<Response> => {
      const raw = await rawRequest(request);
      const now = new Date();
      this.callTimes.push(now);
      try {
        const verified = verifySignature(raw, { known: known(), service, now });
        const response = this.answer(raw);
        this.calls.push(verified);
        return response;
      } catch (error) {
        if (!(error instanceof SignatureRefusal)) throw error;
        this.calls.push({ refused: error.code, message: error.message });
        return this.refuse(error);
      }
    };
    const address = { hostname: "127.0.0.1", port: 0, onListen() {} };
    this.#server = Deno.serve(
      tls === undefined ? address : { ...address, cert: tls.certificate, key: tls.key },
      handler,
    );
    this.url = `http${tls === undefined ? "" : "s"}://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#server.addr.port;
  }

  /** Returns the response to a verified request. Throws SignatureRefusal for an unknown action. */
  protected abstract answer(request: RawRequest): Response;

  /** Returns the service's error document. */
  protected abstract refuse(refusal: SignatureRefusal): Response;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Returns an XML response. */
export function xml(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/xml" } });
}

/** Escapes text for XML. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

async function rawRequest(request: Request): Promise<RawRequest> {
  const headers: [string, string][] = [...request.headers];
  // HTTP/2 has :authority instead.
  if (!request.headers.has("host")) headers.push(["host", new URL(request.url).host]);
  return {
    method: request.method,
    url: request.url.replace(/^https?:\/\/[^/]*/, ""),
    headers,
    body: await request.bytes(),
  };
}
