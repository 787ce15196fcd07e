import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { type Need, testWith } from "../support/needs.ts";
import { giveToOther, OtherUser } from "../support/other_user.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const OLD = "[default]\naws_access_key_id = OLD\n";

testWith(
  ["mount-namespace"],
  "update --once on a full disk leaves the old file, says so and exits 1",
  async () => {
    await using scenario = await SessionScenario.create();
    const disk = scenario.directory.join("disk");
    Deno.mkdirSync(disk);
    // The mount is seen by these programs alone, so they must look at what is left, too.
    const script = `mount -t tmpfs -o size=64k tmpfs ${disk}
      printf '%s' '${OLD}' > ${disk}/credentials
      chmod 600 ${disk}/credentials
      dd if=/dev/zero of=${disk}/filler bs=1k 2>/dev/null || true
      code=0
      "$@" || code=$?
      rm ${disk}/filler
      echo "code $code"
      ls -A ${disk}
      cat ${disk}/credentials`;
    const { stdout, stderr } = await runProgram("unshare", [
      ...["--map-root-user", "--mount", "sh", "-ec", script, "sh"],
      ...[BINARY, "update", ...scenario.flags, "--once"],
    ], { env: { AWS_SHARED_CREDENTIALS_FILE: `${disk}/credentials` } });
    assertEquals(stdout, `code 1\ncredentials\n${OLD}`);
    assertEquals(
      stderr,
      `aws_signing_helper: ${disk}/credentials was not changed: the disk of ${disk} is full; ` +
        "make room and try again\n",
    );
  },
);

testWith(
  ["mount-namespace"],
  "update --once leaves a file that is a mount point of its own, says so and exits 1",
  async () => {
    await using scenario = await SessionScenario.create();
    const mounted = scenario.directory.write("mounted", OLD);
    const path = scenario.directory.write(".aws/credentials", "");
    const script = `mount --bind ${mounted} ${path}\n"$@"`;
    const { code, stdout, stderr } = await runProgram("unshare", [
      ...["--map-root-user", "--mount", "sh", "-ec", script, "sh"],
      ...[BINARY, "update", ...scenario.flags, "--once"],
    ], { env: { HOME: scenario.directory.path } });
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertStringIncludes(stderr, `${path} is a mount point, which cannot be replaced; mount its `);
    assertEquals([Deno.readTextFileSync(mounted), Deno.readTextFileSync(path)], [OLD, ""]);
    assertEquals([...Deno.readDirSync(scenario.directory.join(".aws"))].length, 1);
  },
);

Deno.test("update --once leaves the old file when a write is cut off in the middle", async () => {
  await using scenario = await SessionScenario.create();
  const old = OLD + `# ${"x".repeat(70)}\n`.repeat(100);
  const path = scenario.directory.write(".aws/credentials", old);
  // One block of 512 or 1024 bytes may be written to a file.
  const { code, stdout, stderr } = await runProgram("sh", [
    ...["-c", `trap '' XFSZ; ulimit -f 1; exec "$@"`, "sh"],
    ...[BINARY, "update", ...scenario.flags, "--once"],
  ], { env: { HOME: scenario.directory.path } });
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertMatch(stderr, /^aws_signing_helper: [^\n]*credentials was not changed: [^\n]*\n$/);
  assertEquals(Deno.readTextFileSync(path), old);
  assertEquals([...Deno.readDirSync(scenario.directory.join(".aws"))].length, 1);
});

/** Tests that must not run as root: root runs them as another user. */
const NEEDS: readonly Need[] = Deno.uid() === 0 ? ["other-user"] : [];

/** Runs `update --once` as a user who may not do everything, with all of the scenario as theirs. */
async function runUnprivileged(scenario: SessionScenario, args: readonly string[]) {
  const command = ["update", ...scenario.flags, "--once", ...args];
  const env = { HOME: scenario.directory.path };
  if (Deno.uid() !== 0) return await runBinary(command, { env });
  using other = new OtherUser();
  return await other.run(command, { env });
}

/** Gives everything in the scenario to the user of {@link runUnprivileged}. */
async function giveAway(scenario: SessionScenario): Promise<void> {
  if (Deno.uid() === 0) await giveToOther(scenario.directory.path);
}

testWith(
  NEEDS,
  "update --once in a read-only directory leaves the old file, says so and exits 1",
  async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.write(".aws/credentials", OLD);
    const directory = scenario.directory.join(".aws");
    await giveAway(scenario);
    Deno.chmodSync(directory, 0o500);
    try {
      const { code, stdout, stderr } = await runUnprivileged(scenario, []);
      assertEquals({ code, stdout }, { code: 1, stdout: "" });
      assertEquals(
        stderr,
        `aws_signing_helper: ${path} was not changed: this user may not write in ${directory}; ` +
          "change its owner or its permissions\n",
      );
      assertEquals(Deno.readTextFileSync(path), OLD);
      assertEquals([...Deno.readDirSync(directory)].length, 1);
    } finally {
      Deno.chmodSync(directory, 0o700);
    }
  },
);

testWith(NEEDS, "update --once leaves a read-only file, says so and exits 1", async () => {
  await using scenario = await SessionScenario.create();
  const path = scenario.directory.write(".aws/credentials", OLD, 0o400);
  await giveAway(scenario);
  const { code, stderr } = await runUnprivileged(scenario, []);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `${path} was not changed: it is read-only; allow its owner`);
  assertEquals(Deno.readTextFileSync(path), OLD);
});

testWith(
  ["other-user"],
  "update --once leaves a file of another user, says so and exits 1",
  async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.write(".aws/credentials", OLD, 0o644);
    await giveAway(scenario);
    Deno.chownSync(path, 12, 34);
    const { code, stderr } = await runUnprivileged(scenario, []);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "it belongs to another user; run this as its owner");
    assertEquals([Deno.readTextFileSync(path), Deno.statSync(path).uid], [OLD, 12]);
  },
);

Deno.test("update --once waits ten seconds for the lock, then says so and exits 1", async () => {
  await using scenario = await SessionScenario.create();
  const path = scenario.directory.write(".aws/credentials", OLD);
  const lock = scenario.directory.write(".aws/.credentials.aws_signing_helper.lock", "");
  await using holder = new Deno.Command("flock", {
    args: ["--no-fork", lock, "sh", "-c", "echo held; exec sleep 600"],
    stdout: "piped",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read();
  const started = performance.now();
  const { code, stdout, stderr } = await runBinary(["update", ...scenario.flags, "--once"], {
    env: { HOME: scenario.directory.path },
  });
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertEquals(
    stderr,
    `aws_signing_helper: ${path} was not changed: another program has held its lock for 10 s; ` +
      "end that program or try again\n",
  );
  assertEquals([Deno.readTextFileSync(path), performance.now() - started > 10_000], [OLD, true]);
  holder.kill("SIGKILL");
  await reader.cancel();
});
