import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";

import { checkValidity, vendCredentials } from "../../src/credentials/refresh/session.ts";
import { formatTime } from "../../src/credentials/format_time.ts";
import { HelperError } from "../../src/errors.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { parseSessionArns } from "../../src/rolesanywhere/arn.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { createAuthority } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { FakeKeystore } from "../keystore/fake_keystore.ts";
import { derOf } from "../x509/test_certificates.ts";
import { NO_CONTEXT } from "../support/scripted_context.ts";

const NOT_BEFORE = new Date("2026-01-01T00:00:00Z");
const NOT_AFTER = new Date("2026-02-01T00:00:00Z");

async function makeCertificate() {
  using directory = new TemporaryDirectory();
  const { certificatePem } = await createAuthority(directory, {
    subject: "/CN=dates",
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
  });
  return parseCertificate(derOf(certificatePem));
}

const certificate = await makeCertificate();
const at = (time: Date, milliseconds: number) => new Date(time.getTime() + milliseconds);

Deno.test("checkValidity() accepts the first and the last moment, and a clock five minutes slow", () => {
  for (const now of [NOT_BEFORE, NOT_AFTER, at(NOT_BEFORE, -5 * 60_000)]) {
    checkValidity(certificate, "leaf.pem", now);
  }
});

Deno.test("checkValidity() throws certificate-validity, with source and date, outside the validity", () => {
  const cases: [Date, string][] = [
    [at(NOT_AFTER, 1), "expired at 2026-02-01T00:00:00Z"],
    [at(NOT_AFTER, 1e10), "expired at 2026-02-01T00:00:00Z"],
    [at(NOT_BEFORE, -5 * 60_000 - 1), "not valid before 2026-01-01T00:00:00Z"],
  ];
  for (const [now, message] of cases) {
    const error = assertThrows(() => checkValidity(certificate, "leaf.pem", now), HelperError);
    assertEquals(error.code, "certificate-validity");
    assertStringIncludes(error.message, message);
    assertStringIncludes(error.message, "leaf.pem");
  }
});

Deno.test("checkValidity() throws certificate-format when the serial number is negative", () => {
  const negative = { ...certificate, serialNumber: -5n };
  const error = assertThrows(() => checkValidity(negative, "leaf.pem", NOT_BEFORE), HelperError);
  assertEquals(error.code, "certificate-format");
  assertStringIncludes(error.message, "leaf.pem has a negative serial number");
});

Deno.test("formatTime() writes UTC seconds", () => {
  assertEquals(formatTime(new Date("2026-01-02T03:04:05.678+01:00")), "2026-01-02T02:04:05Z");
});

Deno.test("vendCredentials() makes no call, and closes the key, if the certificate has expired", async () => {
  const keystore = new FakeKeystore({
    "leaf.pem": { publicKey: publicKeyOf(certificate), certificates: [certificate] },
  });
  let sent = 0;
  const vend = () =>
    vendCredentials(
      { certificate: parseKeystoreUri("leaf.pem", "--certificate") },
      {
        endpoint: new URL("https://example.com"),
        region: "us-east-1",
        durationSeconds: 900,
        arns: parseSessionArns({
          role: "arn:aws:iam::123456789012:role/r",
          profile: "arn:aws:rolesanywhere:us-east-1:123456789012:profile/p",
          trustAnchor: "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/t",
        }),
      },
      keystore.registry,
      NO_CONTEXT,
      {
        send: () => Promise.reject(new Error(`sent ${++sent}`)),
        now: () => at(NOT_AFTER, 1),
        monotonic: () => 0,
        sleep: () => Promise.resolve(),
        random: () => 0,
        debug: () => {},
      },
    );
  assertEquals((await assertRejects(vend, HelperError)).code, "certificate-validity");
  assertEquals([sent, keystore.open], [0, 0]);
});
