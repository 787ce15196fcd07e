import type { Endpoint, RequestHandler } from "../../src/imds/endpoint.ts";
import { createApp } from "../../src/imds/app.ts";
import type { Health, ServedCredentials } from "../../src/imds/documents.ts";
import { hostCheck } from "../../src/imds/host_check.ts";
import { lastPartOf, type ServedRole } from "../../src/imds/roles.ts";
import { tableOf } from "../support/role_table.ts";
import { TokenStore } from "../../src/imds/tokens.ts";

/** Served credentials. */
export const CREDENTIALS: ServedCredentials = {
  accessKeyId: "ASIAEXAMPLE",
  secretAccessKey: "secret/key",
  sessionToken: "session//token==",
  expiration: new Date("2026-01-01T01:00:00.789Z"),
  fetched: new Date("2026-01-01T00:00:00.123Z"),
};

const STATE = {
  name: "Demo",
  expiration: CREDENTIALS.expiration,
  lastRefresh: CREDENTIALS.fetched,
  lastError: undefined,
};

/** Endpoint on a clock that the test moves, called without a socket. */
export class FakeEndpoint {
  /** Milliseconds. */
  time = 0;
  credentials: ServedCredentials | undefined = CREDENTIALS;
  health: Health = { status: "ok", ageSeconds: 1, remainingSeconds: 3599, lastError: null };
  readonly tokens = new TokenStore(
    () => this.time,
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  #answer: RequestHandler = () => Response.error();

  static async create(
    parts: Partial<Endpoint> & Partial<Pick<ServedRole, "containerToken" | "arn">> = {},
  ): Promise<FakeEndpoint> {
    const fake = new FakeEndpoint();
    const { containerToken, arn = "arn:aws:iam::123456789012:role/path/Demo" } = parts;
    fake.#answer = await createApp({
      tokens: fake.tokens,
      table: tableOf({
        name: lastPartOf(arn),
        arn,
        region: "eu-central-1",
        credentials: () => fake.credentials,
        state: () => STATE,
        ...(containerToken === undefined ? {} : { containerToken }),
      }),
      health: () => fake.health,
      isAllowedHost: hostCheck(["machine"]),
      monotonic: () => fake.time,
      ...parts,
    });
    return fake;
  }

  /** Requests a path as a client on loopback. */
  async ask(
    path: string,
    init: RequestInit & { host?: string; client?: string; user?: number } = {},
  ): Promise<Response> {
    const request = new Request(`http://127.0.0.1:9911${path}`, init);
    request.headers.set("host", init.host ?? "127.0.0.1:9911");
    // As Deno's server builds it: the Host header as sent, before the target.
    const url = `http://${init.host ?? "127.0.0.1:9911"}${path}`;
    Object.defineProperty(request, "url", { value: url });
    return await this.#answer(request, {
      user: () => init.user,
      client: () => init.client ?? "127.0.0.1 user 1000",
      received: this.time,
    });
  }

  /** Returns a token, and the header with it. */
  async token(seconds = 21_600): Promise<Record<string, string>> {
    const answer = await this.ask("/latest/api/token", {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": String(seconds) },
    });
    return { "x-aws-ec2-metadata-token": await answer.text() };
  }
}
