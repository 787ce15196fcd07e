import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { FlagValues } from "../../src/cli/flags/flag_values.ts";
import { selftest } from "../../src/cli/commands/selftest.ts";
import { HelperError } from "../../src/errors.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { FakeKeystore } from "../keystore/fake_keystore.ts";
import { selfSigned } from "../x509/test_certificates.ts";
import { FakeSystem } from "./fake_system.ts";

const certificate = parseCertificate(await selfSigned("-days", "3650"));

const system = (sign: () => Promise<Uint8Array>) =>
  new FakeSystem({
    keystore: new FakeKeystore({
      "a.pem": { publicKey: publicKeyOf(certificate), certificates: [certificate], sign },
    }),
  });

const values = (...given: [string, string][]) =>
  new FlagValues("selftest", new Map(given as never), () => undefined);

Deno.test("selftest() fails and prints no more when the signature does not verify", async () => {
  const wrong = system(() => Promise.resolve(new Uint8Array(64)));
  const run = selftest(values(["certificate", "a.pem"]), wrong);
  const error = await assertRejects(
    () => run,
    HelperError,
    "a.pem: the key's signature does not verify",
  );
  assertEquals(error.code, "key-unreadable");
  const report = wrong.written.join("");
  assertStringIncludes(report, "Key: EC on P-256");
  assertEquals(report.includes("Result"), false);
});

Deno.test("selftest() writes nothing when there is no store and no source", async () => {
  const linux = system(() => Promise.reject(new Error("not to be called")));
  const error = await assertRejects(
    () => selftest(values(), linux),
    HelperError,
    "selftest: Linux",
  );
  assertEquals([error.code, linux.written], ["keystore-unavailable", []]);
});
