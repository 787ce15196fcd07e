import { assert, assertEquals, assertMatch } from "@std/assert";

import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { issueCertificate } from "../support/certificates.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";

/** Runs credential-process with its own home directory in the scenario. */
async function run(scenario: SessionScenario, ...args: string[]) {
  return await runBinary(["credential-process", ...scenario.flags, ...args], {
    env: { HOME: scenario.directory.join("home") },
  });
}

const cacheOf = (scenario: SessionScenario) =>
  scenario.directory.join("home/.cache/aws_signing_helper");

const entriesOf = (scenario: SessionScenario) =>
  [...Deno.readDirSync(cacheOf(scenario))].map(({ name }) => name);

Deno.test("credential-process --cache prints a kept session without private key and service", async () => {
  await using scenario = await SessionScenario.create();
  const first = await run(scenario, "--cache");
  assertEquals([first.code, first.stderr], [0, ""]);
  assertEquals(JSON.parse(first.stdout).AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
  Deno.removeSync(scenario.identity.keyPath);
  await scenario.emulator[Symbol.asyncDispose]();
  assertEquals(await run(scenario, "--cache"), first);
  const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
  const [entry = ""] = entriesOf(scenario);
  assertEquals([entriesOf(scenario).length, mode(cacheOf(scenario))], [1, 0o700]);
  assertEquals(mode(`${cacheOf(scenario)}/${entry}`), 0o600);
});

Deno.test("credential-process writes nothing without --cache, and warns of --cache-dir", async () => {
  await using scenario = await SessionScenario.create();
  Deno.mkdirSync(scenario.directory.join("home"));
  assertEquals((await run(scenario)).stderr, "");
  const { code, stderr } = await run(
    scenario,
    "--cache-dir",
    scenario.directory.join("home/cache"),
  );
  assertEquals([code, stderr], [0, "warning: --cache-dir has no effect without --cache\n"]);
  assertEquals([...Deno.readDirSync(scenario.directory.join("home"))], []);
});

Deno.test("credential-process --cache, 20 at once, makes one call and prints one session", async () => {
  await using scenario = await SessionScenario.create({}, { latencyMilliseconds: 300 });
  const results = await Promise.all(Array.from({ length: 20 }, () => run(scenario, "--cache")));
  assertEquals(results.map(({ code, stderr }) => [code, stderr]), results.map(() => [0, ""]));
  assertEquals(new Set(results.map(({ stdout }) => stdout)).size, 1);
  assertEquals(scenario.emulator.requests.length, 1);
  assertEquals(entriesOf(scenario).length, 1);
});

Deno.test("credential-process --cache, several at once, all fail when the service refuses", async () => {
  await using scenario = await SessionScenario.create();
  scenario.emulator.fail("access-denied");
  const results = await Promise.all(Array.from({ length: 4 }, () => run(scenario, "--cache")));
  assertEquals(results.map(({ code, stdout }) => [code, stdout]), results.map(() => [4, ""]));
  assertEquals(entriesOf(scenario), []);
});

Deno.test("credential-process --cache keeps sessions apart by what shapes them", async () => {
  await using scenario = await SessionScenario.create();
  const other = await issueCertificate(scenario.trustAnchor, { subject: "/CN=other" });
  const variants: string[][] = [
    [],
    ["--certificate", other.certificatePath, "--private-key", other.keyPath],
    ["--trust-anchor-arn", `${ARNS.trustAnchor}2`],
    ["--role-arn", `${ARNS.role}2`],
    ["--profile-arn", `${ARNS.profile}2`],
    ["--session-duration", "900"],
    ["--role-session-name", "other"],
    ["--endpoint", scenario.emulator.url.replace("localhost", "127.0.0.1")],
    ["--no-verify-ssl"],
  ];
  for (const turn of [1, 2]) {
    for (const [i, args] of variants.entries()) {
      const { code, stdout } = await run(scenario, "--cache", ...args);
      assertEquals([turn, i, code], [turn, i, 0]);
      assertEquals(JSON.parse(stdout).AccessKeyId, scenario.emulator.issued[i]?.accessKeyId);
    }
  }
  assertEquals(scenario.emulator.requests.length, variants.length);
});

Deno.test("credential-process --cache --debug logs hit and miss", async () => {
  await using scenario = await SessionScenario.create();
  const miss = await run(scenario, "--cache", "--debug");
  assertMatch(miss.stderr, /^debug: cache: miss, \S+\/[0-9a-f]{64}\.json\n/);
  const hit = await run(scenario, "--cache", "--debug");
  assertMatch(hit.stderr, /^debug: cache: hit, \S+\.json until \S+Z\n$/);
  const [issued] = scenario.emulator.issued;
  assert(issued);
  for (const secret of [issued.accessKeyId, issued.secretAccessKey, issued.sessionToken]) {
    assertEquals((miss.stderr + hit.stderr).includes(secret), false);
  }
});

/** Rewrites the cached session as one of `lifetime` minutes, with this remaining time. */
function ageEntry(scenario: SessionScenario, lifetime: number, remaining: number): void {
  const path = `${cacheOf(scenario)}/${entriesOf(scenario)[0]}`;
  const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
  const times = { expiration: at(remaining), fetched: at(remaining - lifetime) };
  Deno.writeTextFileSync(
    path,
    JSON.stringify({ ...JSON.parse(Deno.readTextFileSync(path)), ...times }),
  );
}

for (
  const [lifetime, kept, tooOld] of [[60, 17, 15.9], [32, 17, 15.9], [20, 11, 9.9], [
    15,
    9,
    7.4,
  ]] as const
) {
  Deno.test(`credential-process --cache uses a session of ${lifetime} minutes with ${kept} left, not with ${tooOld}`, async () => {
    await using scenario = await SessionScenario.create();
    const key = async () => JSON.parse((await run(scenario, "--cache")).stdout).AccessKeyId;
    const issued = (i: number) => scenario.emulator.issued[i]?.accessKeyId;
    assertEquals(await key(), issued(0));
    ageEntry(scenario, lifetime, kept);
    assertEquals(await key(), issued(0));
    ageEntry(scenario, lifetime, tooOld);
    assertEquals([await key(), await key()], [issued(1), issued(1)]);
    assertEquals(scenario.emulator.requests.length, 2);
  });
}

for (
  const [what, spoil, message] of [
    ["corrupt", (path: string) => Deno.truncateSync(path, 40), "does not contain a session"],
    [
      "open to others",
      (path: string) => Deno.chmodSync(path, 0o644),
      "is open to others (mode 644)",
    ],
    ["a link", (path: string) => {
      Deno.renameSync(path, `${path}.real`);
      Deno.symlinkSync(`${path}.real`, path);
    }, "is a symbolic link"],
  ] as const
) {
  Deno.test(`credential-process --cache warns of a file that is ${what}, and asks for a session`, async () => {
    await using scenario = await SessionScenario.create();
    await run(scenario, "--cache");
    const path = `${cacheOf(scenario)}/${entriesOf(scenario)[0]}`;
    spoil(path);
    const { code, stdout, stderr } = await run(scenario, "--cache");
    assertEquals([code, stderr], [0, `warning: ${path} ${message}; it is not used\n`]);
    assertEquals(JSON.parse(stdout).AccessKeyId, scenario.emulator.issued[1]?.accessKeyId);
    assertEquals((await run(scenario, "--cache")).stdout, stdout);
  });
}

Deno.test("credential-process --cache uses no directory that others can enter", async () => {
  await using scenario = await SessionScenario.create();
  Deno.mkdirSync(cacheOf(scenario), { recursive: true });
  Deno.chmodSync(cacheOf(scenario), 0o755);
  const { code, stderr } = await run(scenario, "--cache");
  assertEquals([code, stderr], [
    0,
    `warning: the cache is not used: ${cacheOf(scenario)} is open to others ` +
    "(mode 755); run chmod 700\n",
  ]);
  assertEquals(entriesOf(scenario), []);
});

Deno.test("credential-process --cache does not take a certificate's pipe away", async () => {
  await using scenario = await SessionScenario.create();
  const [, certificate = "", ...flags] = scenario.flags;
  const { code, stdout, stderr } = await runProgram("bash", [
    ...["-c", 'exec "$0" credential-process --cache --certificate <(cat "$1") "${@:2}"'],
    ...[BINARY, certificate, ...flags],
  ], { env: { HOME: scenario.directory.join("home") } });
  assertEquals(code, 0);
  assertMatch(stdout, /"AccessKeyId"/);
  assertMatch(
    stderr,
    /^warning: \/dev\/fd\/\d+ is not a regular file; the session is not cached\n$/,
  );
});

Deno.test("credential-process --cache reports a missing certificate as without a cache", async () => {
  await using scenario = await SessionScenario.create();
  Deno.removeSync(scenario.identity.certificatePath);
  const { code, stdout, stderr } = await run(scenario, "--cache");
  assertEquals([code, stdout], [3, ""]);
  assertMatch(stderr, /^aws_signing_helper: \S+ does not exist; check the path\n$/);
});

Deno.test("cache clear removes the sessions, of --cache-dir or the usual directory", async () => {
  await using scenario = await SessionScenario.create();
  const directory = scenario.directory.join("my cache");
  const env = { HOME: scenario.directory.join("home") };
  await run(scenario, "--cache", "--cache-dir", directory);
  await run(scenario, "--cache");
  await run(scenario, "--cache", "--session-duration", "900");
  const clear = async (...args: string[]) => {
    const { code, stdout, stderr } = await runBinary(["cache", "clear", ...args], { env });
    return [code, stdout, stderr];
  };
  const removed = (what: string, from: string) =>
    `aws_signing_helper: removed ${what} from ${from}\n`;
  assertEquals(await clear(), [0, "", removed("2 cached sessions", cacheOf(scenario))]);
  assertEquals(await clear(), [0, "", removed("0 cached sessions", cacheOf(scenario))]);
  assertEquals([...Deno.readDirSync(directory)].length, 1);
  assertEquals(await clear("--cache-dir", directory), [
    0,
    "",
    removed("1 cached session", directory),
  ]);
  await run(scenario, "--cache");
  assertEquals(scenario.emulator.requests.length, 4);
});
