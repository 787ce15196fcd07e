import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { type Need, testWith } from "../support/needs.ts";
import { giveToOther, OtherUser } from "../support/other_user.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const OLD = "[default]\naws_access_key_id = OLD\n";

testWith(
  ["mount-namespace"],
  "update --once on a full disk leaves the old file, reports it and exits 1",
  async () => {
    await using scenario = await SessionScenario.create();
    const disk = scenario.directory.join("disk");
    Deno.mkdirSync(disk);
    // Only these programs see the mount, so they must check the remaining files too.
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
        "free some space and try again\n",
    );
  },
);

testWith(
  ["mount-namespace"],
  "update --once writes a file that is a mount point in place, keeps its mode and warns once",
  async () => {
    await using scenario = await SessionScenario.create();
    const mounted = scenario.directory.write("mounted", `${OLD}# ${"x".repeat(2000)}\n`, 0o640);
    const { ino } = Deno.statSync(mounted);
    const path = scenario.directory.write(".aws/credentials", "");
    const script = `mount --bind ${mounted} ${path}\n"$@"`;
    const { code, stdout, stderr } = await runProgram("unshare", [
      ...["--map-root-user", "--mount", "sh", "-ec", script, "sh"],
      ...[BINARY, "update", ...scenario.flags, "--once"],
    ], { env: { HOME: scenario.directory.path } });
    assertEquals({ code, stdout }, { code: 0, stdout: "" });
    assertEquals(
      stderr,
      `warning: ${path} can be read by others (mode 640); run chmod 600 ${path}\n` +
        `warning: ${path} is written in place, because it is a mount point: a reader may see it half ` +
        "written\n",
    );
    const text = Deno.readTextFileSync(mounted);
    assertStringIncludes(text, `aws_access_key_id = ${scenario.emulator.issued[0]?.accessKeyId}\n`);
    assertStringIncludes(text, `\n# ${"x".repeat(2000)}\n`);
    assertEquals(Deno.readTextFileSync(path), "");
    const info = Deno.statSync(mounted);
    assertEquals([info.ino, (info.mode ?? 0) & 0o777], [ino, 0o640]);
    assertEquals([...Deno.readDirSync(scenario.directory.join(".aws"))].length, 1);
  },
);

/** A mount as Kubernetes' subPath makes it: a file that can be written, in a read-only root. */
const READ_ONLY_HOME = (home: string, file: string) =>
  `mount --bind ${home} ${home}
   mount -o remount,bind,ro ${home}
   mount --bind ${file} ${home}/.aws/credentials
   exec "$@"`;

testWith(
  ["mount-namespace"],
  "update writes a file in a read-only directory in place, and warns once in two refreshes",
  async () => {
    await using scenario = await SessionScenario.create({}, { sessionSeconds: 4 });
    const home = scenario.directory.join("home");
    scenario.directory.write("home/.aws/credentials", "");
    const mounted = scenario.directory.write("mounted", OLD);
    const args = ["--map-root-user", "--mount", "sh", "-ec", READ_ONLY_HOME(home, mounted), "sh"];
    await using running = new RunningBinary(["update", ...scenario.flags], { HOME: home }, [
      "unshare",
      ...args,
    ]);
    await running.waitForLine(/wrote \[default\]/);
    const first = running.lines.findIndex((line) => /wrote/.test(line)) + 1;
    await running.waitForLine(/wrote \[default\]/, first);
    assertEquals(running.lines.filter((line) => /written in place/.test(line)), [
      `warning: ${home}/.aws/credentials is written in place, because its directory is not writable: a ` +
      "reader may see it half written",
    ]);
    const text = Deno.readTextFileSync(mounted);
    const keys = scenario.emulator.issued.map(({ accessKeyId }) => accessKeyId);
    assert(keys.some((key) => text.includes(`aws_access_key_id = ${key}\n`)), text);
  },
);

testWith(
  ["mount-namespace"],
  "ten updates at once of a file in a read-only directory lose no profile",
  async () => {
    await using scenario = await SessionScenario.create();
    const home = scenario.directory.join("home");
    scenario.directory.write("home/.aws/credentials", "");
    const mounted = scenario.directory.write("mounted", OLD);
    const script = READ_ONLY_HOME(home, mounted).replace(
      'exec "$@"',
      () =>
        'pids=; for i in 1 2 3 4 5 6 7 8 9 10; do "$@" --profile p$i & pids="$pids $!"; done\n' +
        "for pid in $pids; do wait $pid; done",
    );
    const { code, stderr } = await runProgram("unshare", [
      ...["--map-root-user", "--mount", "sh", "-ec", script, "sh"],
      ...[BINARY, "update", ...scenario.flags, "--once"],
    ], { env: { HOME: home } });
    assertEquals(code, 0, stderr);
    const text = Deno.readTextFileSync(mounted);
    assertEquals(text.startsWith(OLD), true);
    for (let i = 1; i <= 10; i++) assertStringIncludes(text, `[p${i}]\naws_access_key_id = `);
  },
);

testWith(
  ["mount-namespace"],
  "update --once restores a mounted file if the disk is full",
  async () => {
    await using scenario = await SessionScenario.create();
    const disk = scenario.directory.join("disk");
    const path = scenario.directory.write(".aws/credentials", "");
    Deno.mkdirSync(disk);
    const old = `${OLD}# ${"x".repeat(4000)}\n`;
    const script = `mount -t tmpfs -o size=64k tmpfs ${disk}
      printf '%s' '${old}' > ${disk}/credentials
      dd if=/dev/zero of=${disk}/filler bs=1k 2>/dev/null || true
      mount --bind ${disk}/credentials ${path}
      code=0
      "$@" || code=$?
      echo "code $code"
      cat ${disk}/credentials`;
    const { stdout, stderr } = await runProgram("unshare", [
      ...["--map-root-user", "--mount", "sh", "-ec", script, "sh"],
      ...[BINARY, "update", ...scenario.flags, "--once"],
    ], { env: { HOME: scenario.directory.path } });
    assertEquals(stdout, `code 1\n${old}`);
    assertStringIncludes(stderr, `${path} was not changed: `);
    assertStringIncludes(stderr, "is full; free some space and try again");
  },
);

Deno.test("update --once keeps the old file if a write is interrupted", async () => {
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

/** Makes the user of {@link runUnprivileged} the owner of everything in the scenario. */
async function giveAway(scenario: SessionScenario): Promise<void> {
  if (Deno.uid() === 0) await giveToOther(scenario.directory.path);
}

testWith(
  NEEDS,
  "update --once writes a file of a read-only directory in place, and makes none there",
  async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.write(".aws/credentials", OLD);
    const directory = scenario.directory.join(".aws");
    await giveAway(scenario);
    Deno.chmodSync(directory, 0o500);
    try {
      const { code, stdout, stderr } = await runUnprivileged(scenario, []);
      assertEquals({ code, stdout }, { code: 0, stdout: "" });
      assertEquals(
        stderr,
        `warning: ${path} is written in place, because its directory is not writable: a reader may see ` +
          "it half written\n",
      );
      const [issued] = scenario.emulator.issued;
      assertStringIncludes(
        Deno.readTextFileSync(path),
        `aws_access_key_id = ${issued?.accessKeyId}`,
      );
      assertEquals([...Deno.readDirSync(directory)].length, 1);

      Deno.chmodSync(directory, 0o700);
      Deno.removeSync(path);
      Deno.chmodSync(directory, 0o500);
      const none = await runUnprivileged(scenario, []);
      assertEquals({ code: none.code, stdout: none.stdout }, { code: 1, stdout: "" });
      assertEquals(
        none.stderr,
        `aws_signing_helper: ${path} was not changed: this user may not write in ${directory}; ` +
          "change its owner or its permissions\n",
      );
      assertEquals([...Deno.readDirSync(directory)].length, 0);
    } finally {
      Deno.chmodSync(directory, 0o700);
    }
  },
);

testWith(NEEDS, "update --once leaves a read-only file, reports it and exits 1", async () => {
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
  "update --once leaves a file of another user, reports it and exits 1",
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

Deno.test("update --once waits ten seconds for the lock, then reports it and exits 1", async () => {
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
