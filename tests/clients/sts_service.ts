import { randomBytes } from "node:crypto";

import type { RawRequest } from "../emulator/raw_request.ts";
import {
  type KnownCredentials,
  SignatureRefusal,
  type VerifiedSignature,
  verifySignature,
} from "./signature_version_4.ts";

/** What GetCallerIdentity says. */
export interface CallerIdentity {
  readonly account: string;
  readonly arn: string;
  readonly userId: string;
}

/** What became of a request: who signed it, or the code of its refusal. */
export type Call = VerifiedSignature | { readonly refused: string; readonly message: string };

/** GetCallerIdentity of AWS STS on loopback, for those who sign with credentials that it knows. */
export class StsService implements AsyncDisposable {
  /** Every call, in order. */
  readonly calls: Call[] = [];
  /** Its answer to all; random, so that none can know it who has not read it. */
  readonly identity: CallerIdentity;
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param known the credentials given out so far, asked for at each request */
  constructor(known: () => readonly KnownCredentials[]) {
    const session = randomBytes(8).toString("hex");
    this.identity = {
      account: "123456789012",
      arn: `arn:aws:sts::123456789012:assumed-role/Demo/${session}`,
      userId: `AROADEMO:${session}`,
    };
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        const call = judge(await rawRequest(request), known());
        this.calls.push(call);
        return "refused" in call
          ? xml(403, errorDocument(call.refused, call.message))
          : xml(200, identityDocument(this.identity));
      },
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

async function rawRequest(request: Request): Promise<RawRequest> {
  return {
    method: request.method,
    url: request.url.replace(/^https?:\/\/[^/]*/, ""),
    headers: [...request.headers],
    body: await request.bytes(),
  };
}

function judge(request: RawRequest, known: readonly KnownCredentials[]): Call {
  try {
    const verified = verifySignature(request, { known, service: "sts", now: new Date() });
    const action = new URLSearchParams(new TextDecoder().decode(request.body)).get("Action");
    if (request.method === "POST" && action === "GetCallerIdentity") return verified;
    return { refused: "InvalidAction", message: `${request.method} ${action}` };
  } catch (error) {
    if (!(error instanceof SignatureRefusal)) throw error;
    return { refused: error.code, message: error.message };
  }
}

function xml(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/xml" } });
}

function identityDocument({ account, arn, userId }: CallerIdentity): string {
  return '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
    `<GetCallerIdentityResult><Arn>${arn}</Arn><UserId>${userId}</UserId>` +
    `<Account>${account}</Account></GetCallerIdentityResult>` +
    `<ResponseMetadata><RequestId>${crypto.randomUUID()}</RequestId></ResponseMetadata>` +
    "</GetCallerIdentityResponse>";
}

function errorDocument(code: string, message: string): string {
  const text = message.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>' +
    `<Type>Sender</Type><Code>${code}</Code><Message>${text}</Message></Error>` +
    `<RequestId>${crypto.randomUUID()}</RequestId></ErrorResponse>`;
}
