/** The `spiffe:` keystore with SPIRE's own server and agent. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { X509Certificate } from "node:crypto";

import { headerValues } from "../emulator/raw_request.ts";
import { StsService } from "../clients/sts_service.ts";
import { runBinary, runProgram } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { OtherUser } from "../support/other_user.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { Spire, TRUST_DOMAIN } from "../support/spire.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testMessage } from "../support/test_message.ts";
import { PYTHON } from "../support/tools.ts";

const UID = Deno.uid() ?? 0;
const WORKLOAD = `spiffe://${TRUST_DOMAIN}/workload`;
const OTHER = `spiffe://${TRUST_DOMAIN}/other`;
const HOUR = 3600;
/** Lifetime of SVIDs that the agent renews several times within a test, seconds. */
const SHORT = 10;
/** Lifetime of sessions, seconds: each renewal finds another SVID, and boto3 has time to sign. */
const SHORT_SESSION = 30;
/** Number of different SVIDs that a test waits for. */
const ROTATIONS = 3;
/** Timeout of a step, milliseconds. */
const STEP_TIMEOUT = 60_000;

/** Waits until `condition` returns true. */
async function waitUntil(what: string, condition: () => boolean): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > STEP_TIMEOUT) throw new Error(`not within time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Starts the emulator with the trust domain's authorities as trust anchor. */
async function createScenario(spire: Spire, sessionSeconds?: number): Promise<SessionScenario> {
  const seconds = sessionSeconds === undefined ? {} : { sessionSeconds };
  return await SessionScenario.create({}, { trustAnchors: [await spire.bundle()], ...seconds });
}

/** Returns the different certificates in the requests that the service accepted. */
function certificatesOf({ emulator }: SessionScenario): X509Certificate[] {
  const accepted = emulator.requests.filter(({ outcome }) => outcome.status === 201);
  const encoded = new Set(accepted.flatMap((request) => headerValues(request, "x-amz-x509")));
  return [...encoded].map((text) => new X509Certificate(Uint8Array.fromBase64(text)));
}

/** Checks with openssl that a signature of `sign-string` is by the first certificate in `pem`. */
async function assertSignedBy(pem: string, signature: Uint8Array): Promise<void> {
  using directory = new TemporaryDirectory();
  const publicKey = await openssl(["x509", "-noout", "-pubkey"], { stdin: pem });
  const publicKeyPem = new TextDecoder().decode(publicKey);
  const output = await openssl([
    "dgst",
    "-sha256",
    ...["-verify", directory.write("key", publicKey)],
    ...["-signature", directory.write("signature", signature)],
    directory.write("message", testMessage(publicKeyPem)),
  ]);
  assertStringIncludes(new TextDecoder().decode(output), "Verified OK");
}

testWith(["spire"], "SPIRE: every command uses the identities that it issues", async (t) => {
  await using spire = await Spire.start({
    entries: [WORKLOAD, OTHER].map((id) => ({ id, uid: UID, seconds: HOUR })),
  });
  await using scenario = await createScenario(spire);
  const env = { SPIFFE_ENDPOINT_SOCKET: spire.address };

  await t.step("read-certificate-data lists them", async () => {
    const { code, stdout, stderr } = await runBinary(
      ["read-certificate-data", "--certificate", "spiffe:"],
      { env },
    );
    assertEquals([code, stderr], [0, ""]);
    const listed = [...stdout.matchAll(/^URI: (.*)$/gm)].map(([, uri]) => uri).toSorted();
    assertEquals(listed, [OTHER, WORKLOAD].map((id) => `spiffe:${spire.address};id=${id}`));
    assertEquals(stdout.match(/^Subject: O=SPIRE,C=US/gm)?.length, 2);
  });

  for (const id of [WORKLOAD, OTHER]) {
    await t.step(`sign-string signs with ${id}, and openssl verifies`, async () => {
      const { code, stdoutBytes, stderr } = await runBinary(
        ["sign-string", "--format", "bin", "--certificate", `spiffe:id=${id}`],
        { env },
      );
      assertEquals([code, stderr], [0, ""]);
      await assertSignedBy(await spire.certificates(id), stdoutBytes);
    });
  }

  await t.step("credential-process ends with credentials within 5 s", async () => {
    const start = performance.now();
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", "--certificate", `spiffe:id=${OTHER}`, ...scenario.serviceFlags],
      { env },
    );
    assertEquals([code, stderr], [0, ""]);
    // The agent's stream never ends; a client that waits for its end does not end.
    assert(performance.now() - start < END_TIMEOUT);
    assertMatch(JSON.parse(stdout).AccessKeyId, /^ASIA/);
    assertEquals(certificatesOf(scenario).map((found) => found.subjectAltName), [`URI:${OTHER}`]);
    // The server's authority is the trust anchor, and is not sent.
    const { requests } = scenario.emulator;
    assertEquals(requests.flatMap((request) => headerValues(request, "x-amz-x509-chain")), []);
  });

  await t.step("update --once writes credentials", async () => {
    const file = scenario.directory.join("credentials");
    const { code, stderr } = await runBinary(
      ["update", "--once", "--certificate", "spiffe:", ...scenario.serviceFlags],
      { env: { ...env, AWS_SHARED_CREDENTIALS_FILE: file } },
    );
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(Deno.readTextFileSync(file), "aws_access_key_id = ASIA");
  });

  await t.step("doctor finds the identity, and that it fits Roles Anywhere", async () => {
    const { stdout } = await runBinary(
      ["doctor", "--json", "--certificate", "spiffe:", ...scenario.serviceFlags],
      { env },
    );
    const findings: { level: string; name: string; message: string }[] =
      JSON.parse(stdout).findings;
    const byName = (name: string) => findings.filter((finding) => finding.name === name);
    assertEquals(findings.filter(({ level }) => level === "problem"), []);
    assertEquals(["key", "keystore", "certificate"].map((name) => byName(name).length), [1, 1, 1]);
    assertStringIncludes(
      byName("keystore")[0]?.message ?? "",
      `${spire.address}: the SPIFFE agent`,
    );
    assertMatch(
      byName("keystore-note")[0]?.message ?? "",
      /^the trust anchor must contain the authority .*O=SPIFFE,C=US of trust domain example.org/,
    );
    // An SVID of an hour is renewed in time; the server's authority of a day is not.
    assertEquals(byName("certificate-expires-soon"), []);
    assertMatch(byName("keystore-warning")[0]?.message ?? "", /expires in 0 days/);
  });

  await t.step("configure warns that the variable is not stored", async () => {
    const { code, stdout, stderr } = await runBinary(
      ["configure", "--certificate", "spiffe:", ...ARN_FLAGS],
      { env },
    );
    assertEquals(code, 0);
    assertMatch(stdout, /^credential_process = .* --certificate spiffe: /);
    assertStringIncludes(stderr, "SPIFFE_ENDPOINT_SOCKET is not stored");
    const named = await runBinary(
      ["configure", "--certificate", `spiffe:${spire.address}`, ...ARN_FLAGS],
    );
    assertEquals([named.code, named.stderr], [0, ""]);
  });

  await t.step("selftest signs with the first", async () => {
    const { code, stdout, stderr } = await runBinary(["selftest", "--certificate", "spiffe:"], {
      env,
    });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "Certificates from the SPIFFE Workload API: spiffe:\nFound: 2\n");
    assertStringIncludes(stdout, "Result: passed");
  });

  await t.step("credential-process --cache keeps the session", async () => {
    const cache = ["--cache", "--cache-dir", scenario.directory.join("cache")];
    const flags = ["--certificate", "spiffe:", ...cache, ...scenario.serviceFlags];
    const runs = [];
    for (let i = 0; i < 2; i++) {
      runs.push(await runBinary(["credential-process", ...flags], { env }));
    }
    assertEquals(runs.map(({ code, stderr }) => [code, stderr]), [[0, ""], [0, ""]]);
    assertEquals(runs[0]?.stdout, runs[1]?.stdout);
  });

  await t.step("another ID is refused with a list of those that there are", async () => {
    const { code, stderr } = await runBinary(
      ["sign-string", "--certificate", `spiffe:id=spiffe://${TRUST_DOMAIN}/absent`],
      { env },
    );
    assertEquals(code, 3);
    assertStringIncludes(stderr, "this process has no SVID with this ID; use id=spiffe://");
    for (const id of [WORKLOAD, OTHER]) assertStringIncludes(stderr, id);
  });
});

testWith(
  ["spire", "python-client"],
  "SPIRE: serve and update follow rotations and a restart of the agent; boto3 signs throughout",
  async () => {
    await using spire = await Spire.start({
      entries: [{ id: WORKLOAD, uid: UID, seconds: SHORT }],
    });
    await using scenario = await createScenario(spire, SHORT_SESSION);
    await using sts = new StsService(() => scenario.emulator.issued);
    const file = scenario.directory.join("credentials");
    const source = ["--certificate", `spiffe:${spire.address}`, ...scenario.serviceFlags];
    await using serve = await ServeProcess.start({ flags: source });
    await using update = new RunningBinary(["update", ...source], {
      AWS_SHARED_CREDENTIALS_FILE: file,
    });
    await update.waitForLine(/\[default\]/);

    /** Runs boto3. A process that goes on would use its first credentials for 10 minutes more. */
    const signs = async () => {
      const { code, stderr } = await runProgram(
        PYTHON,
        [fileURLToPath(new URL("../clients/python/caller_identity.py", import.meta.url))],
        {
          env: {
            ...await serve.exported(),
            HOME: scenario.directory.path,
            AWS_EC2_METADATA_V1_DISABLED: "true",
            NO_PROXY: "127.0.0.1",
            AWS_REGION: "us-east-1",
            AWS_DEFAULT_REGION: "us-east-1",
            AWS_ENDPOINT_URL_STS: sts.url,
          },
        },
      );
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
    };
    /** Runs boto3 again and again while `work` runs. */
    const signsThroughout = async (work: () => Promise<void>) => {
      let isOver = false;
      const calls = (async () => {
        while (!isOver) await signs();
      })();
      try {
        await work();
      } finally {
        isOver = true;
        await calls;
      }
    };
    await signsThroughout(async () => {
      await waitUntil("rotations", () => certificatesOf(scenario).length >= ROTATIONS);
      assertEquals(
        new Set(certificatesOf(scenario).map((found) => found.subjectAltName)),
        new Set([`URI:${WORKLOAD}`]),
      );

      await spire.endAgent("SIGKILL");
      await serve.binary.waitForLine(/does not accept connections.*from before is used until/);
      await spire.startAgent();
      await serve.binary.waitForLine(/the SPIFFE agent is back/);
      const before = certificatesOf(scenario).length;
      await waitUntil(
        "a rotation after the restart",
        () => certificatesOf(scenario).length > before,
      );
    });
    await signs();
    const keys = sts.calls.map((call) => "accessKeyId" in call ? call.accessKeyId : call.refused);
    assert(new Set(keys).size > 1, keys.join());
    const refused = scenario.emulator.requests.filter(({ refusal }) => refusal !== null);
    assertEquals(refused, []);

    await spire.endAgent("SIGTERM");
    const gone = await runBinary(["sign-string", "--certificate", `spiffe:${spire.address}`]);
    assertEquals(gone.code, 3);
    assertStringIncludes(gone.stderr, "the agent's socket does not exist; start the SPIFFE agent");

    const { length } = scenario.emulator.issued;
    assert(length > ROTATIONS);
    const { code, milliseconds } = await serve.end();
    assertEquals(code, 0);
    assert(milliseconds < END_TIMEOUT, `${milliseconds} ms`);
    update.kill("SIGTERM");
    assertEquals(await update.end(), { code: 0, stdout: "" });
    const written = /aws_access_key_id = (\w+)/.exec(Deno.readTextFileSync(file))?.[1];
    const last = scenario.emulator.issued.slice(-5).map(({ accessKeyId }) => accessKeyId);
    assert(written !== undefined && last.includes(written), "update wrote an old session");
  },
);

testWith(
  ["spire", "other-user"],
  "SPIRE: a user without an entry has no identity until there is one",
  async () => {
    const uid = 65534;
    await using spire = await Spire.start({
      entries: [{ id: WORKLOAD, uid: UID, seconds: HOUR }],
    });
    using other = new OtherUser();
    const sign = () => other.run(["sign-string", "--certificate", `spiffe:${spire.address}`]);
    const { code, stderr } = await sign();
    assertEquals(code, 3);
    assertStringIncludes(
      stderr,
      "the SPIFFE agent has no identity for this process (PermissionDenied); " +
        `create an entry, such as with the selector unix:uid:${uid}`,
    );
    await spire.createEntry({ id: OTHER, uid, seconds: HOUR });
    const start = performance.now();
    let last = await sign();
    while (last.code !== 0 && performance.now() - start < STEP_TIMEOUT) last = await sign();
    assertEquals([last.code, last.stderr], [0, ""]);
  },
);

testWith(["spire"], "SPIRE: the authority below an upstream authority is the chain", async () => {
  using directory = new TemporaryDirectory();
  const upstream = await createAuthority(directory, { subject: "/CN=Upstream authority" });
  await using spire = await Spire.start({
    upstream,
    entries: [{ id: WORKLOAD, uid: UID, seconds: HOUR }],
  });
  await using scenario = await SessionScenario.create({}, {
    trustAnchors: [upstream.certificatePem],
  });
  const flags = ["--certificate", `spiffe:${spire.address}`, ...scenario.serviceFlags];
  const { code, stdout, stderr } = await runBinary(["credential-process", ...flags]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(JSON.parse(stdout).AccessKeyId, /^ASIA/);
  const [request] = scenario.emulator.requests;
  const [chain = ""] = request ? headerValues(request, "x-amz-x509-chain") : [];
  const [issuer, ...more] = chain.split(",")
    .map((text) => new X509Certificate(Uint8Array.fromBase64(text)));
  assertEquals([issuer?.ca, issuer?.issuer, more.length], [true, "CN=Upstream authority", 0]);
  const report = await runBinary(["doctor", ...flags]);
  assertStringIncludes(report.stdout, "the trust anchor must contain the authority CN=Upstream");
});
