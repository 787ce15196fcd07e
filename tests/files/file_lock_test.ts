import { assertEquals, assertGreaterOrEqual, assertRejects } from "@std/assert";

import { lockFile, lockPathOf } from "../../src/files/file_lock.ts";
import { HelperError } from "../../src/errors.ts";
import { modeOf, TemporaryDirectory } from "../support/temporary_directory.ts";
import { REAL_CLOCKS } from "../support/real_clocks.ts";

Deno.test("lockFile() creates a file that only its owner can read, and removes it with the lock", async () => {
  using directory = new TemporaryDirectory();
  const path = lockPathOf(directory.join("file"));
  {
    using lock = await lockFile(path, 0, REAL_CLOCKS);
    assertEquals(lock !== undefined, true);
    assertEquals(directory.names(), [".file.aws_signing_helper.lock"]);
    assertEquals(modeOf(path), 0o600);
  }
  assertEquals(directory.names(), []);
});

Deno.test("lockFile() returns undefined if another process holds the lock all the time", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("lock");
  using _held = await lockFile(path, 0, REAL_CLOCKS);
  const started = performance.now();
  assertEquals(await lockFile(path, 100, REAL_CLOCKS), undefined);
  assertGreaterOrEqual(performance.now() - started, 100);
});

Deno.test("lockFile() respects a lock of flock(1), and gets it if that program is killed", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("lock", "");
  await using other = new Deno.Command("flock", {
    args: ["--no-fork", path, "sh", "-c", "echo held; exec sleep 600"],
    stdout: "piped",
  }).spawn();
  const reader = other.stdout.getReader();
  await reader.read();
  assertEquals(await lockFile(path, 0, REAL_CLOCKS), undefined);
  const waiting = lockFile(path, 60_000, REAL_CLOCKS);
  other.kill("SIGKILL");
  using lock = await waiting;
  assertEquals(lock !== undefined, true);
  await reader.cancel();
});

Deno.test("lockFile() locks for many waiting processes one after the other", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("lock");
  let inside = 0;
  let max = 0;
  await Promise.all(Array.from({ length: 20 }, async () => {
    using lock = await lockFile(path, 60_000, REAL_CLOCKS);
    assertEquals(lock !== undefined, true);
    max = Math.max(max, ++inside);
    await REAL_CLOCKS.sleep(1);
    inside--;
  }));
  assertEquals([max, directory.names()], [1, []]);
});

Deno.test("lockFile() does not lock a file that was replaced at its path", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("lock");
  const first = await lockFile(path, 0, REAL_CLOCKS);
  const waiting = lockFile(path, 60_000, REAL_CLOCKS);
  first?.[Symbol.dispose]();
  using second = await waiting;
  assertEquals(second !== undefined, true);
  assertEquals(await lockFile(path, 50, REAL_CLOCKS), undefined);
});

Deno.test("lockFile() throws the signal's reason if the signal comes before the lock", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("lock");
  using _held = await lockFile(path, 0, REAL_CLOCKS);
  const controller = new AbortController();
  const waiting = lockFile(path, 60_000, { ...REAL_CLOCKS, signal: controller.signal });
  controller.abort(new HelperError("interrupted", "enough"));
  await assertRejects(() => waiting, HelperError, "enough");
});

Deno.test("lockFile() throws credentials-file if the file system does not support locks", async () => {
  using directory = new TemporaryDirectory();
  const real = Deno.FsFile.prototype.tryLockSync;
  // The system's text of ENOSYS ("Function not implemented"), as Deno reports it from flock(2).
  // Every file system of this machine has locks, so the test makes the failure.
  Deno.FsFile.prototype.tryLockSync = () => {
    throw new Error("Function not implemented (os error 38)");
  };
  try {
    const path = directory.join("lock");
    const error = await assertRejects(() => lockFile(path, 0, REAL_CLOCKS), HelperError);
    assertEquals([error.code, error.message], [
      "credentials-file",
      `${path}: the file system does not support locks (Function not implemented (os error 38)); ` +
      "use another one",
    ]);
  } finally {
    Deno.FsFile.prototype.tryLockSync = real;
  }
});

for (
  const [what, make] of [
    ["a directory", (path: string) => Deno.mkdirSync(path)],
    ["a link to a file", (path: string) => Deno.symlinkSync("target", path)],
    ["a link to nothing", (path: string) => Deno.symlinkSync("nothing", path)],
  ] as const
) {
  Deno.test(`lockFile() throws credentials-file and changes nothing if the path is ${what}`, async () => {
    using directory = new TemporaryDirectory();
    directory.write("target", "text", 0o644);
    const path = directory.join("lock");
    make(path);
    const before = directory.names().toSorted();
    const error = await assertRejects(() => lockFile(path, 0, REAL_CLOCKS), HelperError, path);
    assertEquals(error.code, "credentials-file");
    assertEquals(directory.names().toSorted(), before);
    assertEquals(Deno.readTextFileSync(directory.join("target")), "text");
  });
}
