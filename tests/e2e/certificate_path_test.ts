import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decodeBase64 } from "@std/encoding/base64";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { formatName } from "../../src/x509/name.ts";
import { formatPem } from "../../src/x509/pem.ts";
import { runBinary } from "../support/binary.ts";
import {
  type Authority,
  type CertificateFiles,
  createAuthority,
  issueCertificate,
} from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const DAY = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY);

/** Makes a trust anchor's service, the anchor's intermediate, and a certificate of that. */
async function makeScenario() {
  const scenario = await SessionScenario.create();
  const intermediate = await issueCertificate(scenario.trustAnchor, {
    subject: "/CN=Intermediate",
    ca: true,
  });
  const machine = await issueCertificate(intermediate, { subject: "/CN=machine" });
  return { scenario, intermediate, machine };
}

/** Names of the certificates that the service received: the end entity, then the chain. */
function sent({ emulator }: SessionScenario): string[] {
  const request = emulator.requests.at(-1);
  assert(request);
  const header = (name: string) =>
    request.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value).join();
  return [header("x-amz-x509"), ...header("x-amz-x509-chain").split(",")]
    .filter((text) => text !== "")
    .map((text) => formatName(parseCertificate(decodeBase64(text)).subject));
}

const pems = (...files: readonly CertificateFiles[]) =>
  files.map(({ certificatePem }) => certificatePem).join("");

async function foreignAuthorities(scenario: SessionScenario): Promise<Authority[]> {
  const foreign: Authority[] = [];
  for (let i = 1; i <= 8; i++) {
    foreign.push(await createAuthority(scenario.directory, { subject: `/CN=Foreign ${i}` }));
  }
  return foreign;
}

Deno.test("credential-process sends only the path out of a bundle with eight foreign authorities", async () => {
  const { scenario, intermediate, machine } = await makeScenario();
  await using _ = scenario;
  const foreign = await foreignAuthorities(scenario);
  const { directory } = scenario;
  const [half, rest] = [foreign.slice(0, 4), foreign.slice(4)];
  const bundle = directory.write("bundle.pem", pems(...half, intermediate, ...rest));
  const all = directory.write("all.pem", pems(...half, machine, intermediate, ...rest));
  for (
    const source of [
      ["--certificate", machine.certificatePath, "--intermediates", bundle],
      ["--certificate", all],
    ]
  ) {
    const args = [...source, "--private-key", machine.keyPath, ...scenario.serviceFlags, "--debug"];
    const { code, stderr } = await runBinary(["credential-process", ...args]);
    assertEquals(code, 0, stderr);
    assertEquals(sent(scenario), ["CN=machine", "CN=Intermediate"]);
    assertStringIncludes(stderr, "CN=Foreign 8");
  }
});

Deno.test("credential-process takes a trust store as --intermediates", async () => {
  const { scenario, intermediate, machine } = await makeScenario();
  await using _ = scenario;
  const system = await Deno.readTextFile("/etc/ssl/certs/ca-certificates.crt").catch(() =>
    pems(scenario.trustAnchor).repeat(2)
  );
  const store = scenario.directory.write("store.pem", system + pems(intermediate));
  const { code, stderr } = await runBinary([
    "credential-process",
    ...["--certificate", machine.certificatePath, "--private-key", machine.keyPath],
    ...["--intermediates", store],
    ...scenario.serviceFlags,
  ]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertEquals(sent(scenario).slice(0, 2), ["CN=machine", "CN=Intermediate"]);
});

Deno.test("credential-process sends nothing of a keystore that belongs to another machine", async () => {
  const { scenario, intermediate, machine } = await makeScenario();
  await using _ = scenario;
  const other = await issueCertificate(intermediate, { subject: "/CN=other machine" });
  const others = scenario.directory.write(
    "others.pem",
    pems(other, scenario.trustAnchor, intermediate),
  );
  const path = `${scenario.directory.path}/store.p12`;
  await openssl([
    ...["pkcs12", "-export", "-inkey", machine.keyPath, "-in", machine.certificatePath],
    ...["-certfile", others, "-out", path, "-passout", "pass:"],
  ]);
  const { code, stderr } = await runBinary([
    "credential-process",
    "--certificate",
    path,
    ...scenario.serviceFlags,
  ]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertEquals(sent(scenario), ["CN=machine", "CN=Intermediate", "CN=Demo trust anchor"]);
});

/** Returns as many copies of a certificate, each with a serial number of its own; signatures break. */
function copies({ certificatePem }: CertificateFiles, serial: bigint, count: number): string {
  const der = decodeBase64(certificatePem.replace(/-----[^-]*-----|\s/g, ""));
  const written = serial.toString(16).match(/../g)?.map((byte) => parseInt(byte, 16)) ?? [];
  const at = der.findIndex((_, i) => written.every((byte, j) => der[i + j] === byte));
  return Array.from({ length: count }, (_, i) => {
    new DataView(der.buffer, der.byteOffset).setUint16(at + 2, i);
    return formatPem("CERTIFICATE", der);
  }).join("");
}

Deno.test("credential-process refuses many certificates of two names in bounded time", async () => {
  await using scenario = await SessionScenario.create();
  const serial = 0x55667788n;
  const request = { ca: true, serial };
  const upper = await issueCertificate(scenario.trustAnchor, { ...request, subject: "/CN=Upper" });
  const lower = await issueCertificate(upper, { ...request, subject: "/CN=Lower" });
  const machine = await issueCertificate(lower, { subject: "/CN=machine" });
  const other = await createAuthority(scenario.directory, {
    ...request,
    subject: "/CN=Upper",
    extensions: { subjectKeyIdentifier: null, authorityKeyIdentifier: null },
  });
  const { code, stderr } = await runBinary([
    "credential-process",
    ...["--certificate", machine.certificatePath, "--private-key", machine.keyPath],
    "--intermediates",
    scenario.directory.write(
      "many.pem",
      copies(lower, serial, 400) + copies(other, serial, 400),
    ),
    ...scenario.serviceFlags,
  ], { timeout: 60_000 });
  assertEquals(code, 3, stderr);
  assertStringIncludes(stderr, ": 400 issuers are on its path, but the service accepts 5;");
});

Deno.test("credential-process sends every candidate of a renewed intermediate, and counts those", async () => {
  const { scenario, intermediate, machine } = await makeScenario();
  await using _ = scenario;
  const renewals: Authority[] = [];
  for (let i = 0; i < 5; i++) {
    renewals.push(
      await issueCertificate(scenario.trustAnchor, {
        subject: "/CN=Intermediate",
        ca: true,
        keyPath: intermediate.keyPath,
      }),
    );
  }
  const foreign = await foreignAuthorities(scenario);
  const run = (count: number) =>
    runBinary([
      "credential-process",
      ...["--certificate", machine.certificatePath, "--private-key", machine.keyPath],
      "--intermediates",
      scenario.directory.write(
        `${count}.pem`,
        pems(intermediate, ...renewals.slice(0, count - 1), ...foreign),
      ),
      ...scenario.serviceFlags,
    ]);
  const five = await run(5);
  assertEquals({ code: five.code, stderr: five.stderr }, { code: 0, stderr: "" });
  assertEquals(sent(scenario), ["CN=machine", ...Array(5).fill("CN=Intermediate")]);
  const six = await run(6);
  assertEquals({ code: six.code, stdout: six.stdout }, { code: 3, stdout: "" });
  assertStringIncludes(six.stderr, "6 issuers");
  assertEquals(scenario.emulator.requests.length, 1);
});

for (const kind of ["PEM", "PKCS#12"] as const) {
  for (const order of ["appended", "prepended"] as const) {
    Deno.test(`credential-process uses the renewed certificate of one key, ${order} in ${kind}`, async () => {
      await using scenario = await SessionScenario.create({
        notBefore: inDays(-60),
        notAfter: inDays(-1),
      });
      const { identity: expired, trustAnchor, directory } = scenario;
      const renew = (subject: string, from: number, to: number) =>
        issueCertificate(trustAnchor, {
          subject,
          keyPath: expired.keyPath,
          notBefore: inDays(from),
          notAfter: inDays(to),
        });
      const renewed = await renew("/CN=renewed", -1, 60);
      const shorter = await renew("/CN=shorter", -2, 5);
      const future = await renew("/CN=future", 1, 300);
      const files = [expired, shorter, renewed, future];
      if (order === "prepended") files.reverse();
      let certificate = directory.write("renewed.pem", pems(...files));
      if (kind === "PKCS#12") {
        const path = `${directory.path}/renewed.p12`;
        await openssl([
          ...["pkcs12", "-export", "-inkey", expired.keyPath, "-in", certificate, "-out", path],
          ...["-passout", "pass:"],
        ]);
        certificate = path;
      }
      const key = kind === "PEM" ? ["--private-key", expired.keyPath] : [];
      const flags = ["--certificate", certificate, ...key];
      const { code, stderr } = await runBinary([
        "credential-process",
        ...flags,
        ...scenario.serviceFlags,
      ]);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      assertEquals(sent(scenario), ["CN=renewed"]);
    });
  }
}
