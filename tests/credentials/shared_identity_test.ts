import { assertEquals, assertRejects } from "@std/assert";

import { SharedIdentity } from "../../src/credentials/refresh/shared_identity.ts";
import type { Identity } from "../../src/keystore/open_identity.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { selfSigned } from "../x509/test_certificates.ts";

const certificate = parseCertificate(await selfSigned());

/** Counter of openings and closings; signatures end when the test lets them. */
class Keystore {
  readonly events: string[] = [];
  fails = false;
  signing: PromiseWithResolvers<Uint8Array>[] = [];
  readonly shared = new SharedIdentity(() => this.#open(), (identity) => this.#close(identity));

  #open(): Promise<Identity> {
    this.events.push("open");
    if (this.fails) return Promise.reject(new Error("no token"));
    return Promise.resolve({
      certificate,
      chain: [],
      signer: {
        publicKey: publicKeyOf(certificate),
        certificates: [],
        sign: () => {
          this.events.push("sign");
          const signature = Promise.withResolvers<Uint8Array>();
          this.signing.push(signature);
          return signature.promise;
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }

  async #close(identity: Identity): Promise<void> {
    this.events.push("close");
    await identity[Symbol.asyncDispose]();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 0));
const sign = ({ identity }: { identity: Identity }) =>
  identity.signer.sign(new Uint8Array(), "SHA-256");

Deno.test("callers that overlap share one identity, which is opened again for later ones", async () => {
  const { shared, events } = new Keystore();
  const leases = await Promise.all([shared.lease(), shared.lease(), shared.lease()]);
  assertEquals(events, ["open"]);
  const [first, ...others] = leases;
  await first?.[Symbol.asyncDispose]();
  assertEquals(events, ["open"]);
  for (const lease of others) await lease[Symbol.asyncDispose]();
  assertEquals(events, ["open", "close"]);
  await (await shared.lease())[Symbol.asyncDispose]();
  assertEquals(events, ["open", "close", "open", "close"]);
});

Deno.test("signatures are made one after the other, also after a failure", async () => {
  const keystore = new Keystore();
  const { shared, events, signing } = keystore;
  const [a, b] = await Promise.all([shared.lease(), shared.lease()]);
  const results = [sign(a), sign(b), sign(a)];
  await pause();
  assertEquals(events, ["open", "sign"]);
  signing[0]?.reject(new Error("removed"));
  await assertRejects(() => results[0] ?? Promise.resolve(), Error, "removed");
  await pause();
  assertEquals(events, ["open", "sign", "sign"]);
  signing[1]?.resolve(Uint8Array.of(1));
  assertEquals(await results[1], Uint8Array.of(1));
  await pause();
  signing[2]?.resolve(Uint8Array.of(2));
  assertEquals(await results[2], Uint8Array.of(2));
  // After the failure, the next caller waits until it is closed.
  const next = shared.lease();
  await pause();
  await a[Symbol.asyncDispose]();
  assertEquals(events.filter((event) => event !== "sign"), ["open"]);
  await b[Symbol.asyncDispose]();
  await (await next)[Symbol.asyncDispose]();
  assertEquals(events.filter((event) => event !== "sign"), ["open", "close", "open", "close"]);
});

Deno.test("an identity that cannot be opened fails for all callers, and is opened again later", async () => {
  const keystore = new Keystore();
  keystore.fails = true;
  const results = await Promise.allSettled([keystore.shared.lease(), keystore.shared.lease()]);
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  assertEquals(keystore.events, ["open"]);
  keystore.fails = false;
  await (await keystore.shared.lease())[Symbol.asyncDispose]();
  assertEquals(keystore.events, ["open", "open", "close"]);
});
