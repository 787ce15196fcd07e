import { assertEquals, assertLess, assertMatch } from "@std/assert";

import { type BlockedCall, BlockingFiles } from "../support/blocking_files.ts";
import { runBinary, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { CREDENTIALS_PATH, END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** The limit is 20 s a file; without a limit, the program hangs. */
const LIMIT = 100_000;
/** A response that waits for the file takes 20 s. */
const RESPONSE_TIMEOUT = 15_000;

const SLOW = "was not read within 20 s; check its file system";

/** Ends the program and checks that it ends in time. */
async function endInTime(binary: RunningBinary): Promise<void> {
  const started = performance.now();
  binary.kill("SIGTERM");
  assertEquals((await binary.end()).code, 0);
  assertLess(performance.now() - started, END_TIMEOUT);
}

async function serveWithBlockedKey(call: BlockedCall): Promise<void> {
  await using files = await BlockingFiles.mount();
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 75 });
  const key = files.add("key.pem", Deno.readTextFileSync(scenario.identity.keyPath));
  await using serve = await ServeProcess.start({
    flags: [...scenario.flags, `--private-key=${key}`],
  });
  await files.block(call);
  let isReported = false;
  const report = serve.binary.waitForLine(new RegExp(`${SLOW}; .* are still used$`))
    .finally(() => isReported = true);
  while (!isReported) {
    const started = performance.now();
    assertEquals((await (await serve.get(CREDENTIALS_PATH)).json()).Code, "Success");
    assertLess(performance.now() - started, RESPONSE_TIMEOUT);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await report;
  await endInTime(serve.binary);
}

/** Flags, or environment, that make the program read `path`; exit code and message. */
const READERS: Readonly<
  Record<string, {
    readonly flags?: (path: string) => string[];
    readonly env?: (path: string) => Record<string, string>;
    readonly code: number;
  }>
> = {
  "certificate": { flags: (path) => [`--certificate=${path}`], code: 3 },
  "key": { flags: (path) => [`--private-key=${path}`], code: 3 },
  "intermediates": { flags: (path) => [`--intermediates=${path}`], code: 3 },
  "CA bundle": { flags: (path) => [`--ca-bundle=${path}`], code: 2 },
  "password": { flags: (path) => [`--pkcs8-password=file:${path}`], code: 3 },
  "selector": {
    flags: (path) => ["--certificate=", "--private-key=", `--cert-selector=file://${path}`],
    code: 2,
  },
  "AWS configuration": { env: (path) => ({ AWS_CONFIG_FILE: path }), code: 0 },
};

async function readBlockedFiles(call: BlockedCall): Promise<void> {
  await using files = await BlockingFiles.mount();
  await using scenario = await SessionScenario.create();
  const path = files.add("x", "x");
  const key = scenario.directory.join("locked.pem");
  await runProgram("openssl", [
    ...["pkcs8", "-topk8", "-in", scenario.identity.keyPath, "-out", key],
    ...["-passout", "pass:x"],
  ]);
  await files.block(call);
  await Promise.all(
    Object.entries(READERS).map(async ([name, { flags, env, code }]) => {
      const started = performance.now();
      const result = await runBinary([
        "credential-process",
        ...scenario.flags,
        ...(name === "password" ? [`--private-key=${key}`] : []),
        ...flags?.(path) ?? [],
      ], { env: env?.(path) ?? {}, timeout: LIMIT });
      assertEquals(result.code, code, `${name}: ${result.stderr}`);
      assertEquals(result.stdout === "", code !== 0, name);
      if (name !== "AWS configuration") assertMatch(result.stderr, new RegExp(SLOW), name);
      assertLess(performance.now() - started, LIMIT);
    }),
  );
}

testWith(
  ["fuse-mount"],
  "a file without data and without end is refused within a second",
  async () => {
    await using files = await BlockingFiles.mount();
    await using scenario = await SessionScenario.create();
    const path = files.add("kmsg", "");
    await files.block("again");
    const started = performance.now();
    const { code, stderr } = await runBinary([
      ...["credential-process", ...scenario.flags, `--private-key=${path}`],
    ]);
    assertEquals(code, 3);
    assertMatch(stderr, /kmsg has neither data nor an end; name a file\n$/);
    assertLess(performance.now() - started, 15_000);
  },
);

async function cacheBlockedSession(): Promise<void> {
  await using files = await BlockingFiles.mount();
  await using scenario = await SessionScenario.create();
  await files.block("lookup");
  const { code, stderr } = await runBinary(
    ["credential-process", ...scenario.flags, "--cache", `--cache-dir=${files.path}/cache`],
    { timeout: LIMIT },
  );
  assertEquals([code, stderr], [
    0,
    `warning: the cache is not used: ${files.path}/cache ${SLOW}\n`,
  ]);
}

async function updateBlockedFile(call: BlockedCall): Promise<void> {
  await using files = await BlockingFiles.mount();
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 8 });
  const home = scenario.directory.path;
  const path = files.add("credentials", "[default]\n");
  await using update = new RunningBinary(["update", ...scenario.flags], { HOME: home });
  await update.waitForLine(/: wrote /);
  Deno.removeSync(`${home}/.aws/credentials`);
  Deno.symlinkSync(path, `${home}/.aws/credentials`);
  await files.block(call);
  await update.waitForLine(new RegExp(`credentials was not changed: it ${SLOW}`));
  // With the next session it tries again.
  const sessions = scenario.emulator.issued.length;
  const limit = AbortSignal.timeout(60_000);
  while (scenario.emulator.issued.length === sessions) {
    limit.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await endInTime(update);
}

/** Runs of the program that wait for limits, so they run at the same time. */
const CASES: Readonly<Record<string, () => Promise<void>>> = {
  "serve answers and ends on SIGTERM when lookup of its key blocks": () =>
    serveWithBlockedKey("lookup"),
  "serve answers and ends on SIGTERM when open of its key blocks": () =>
    serveWithBlockedKey("open"),
  "serve answers and ends on SIGTERM when read of its key blocks": () =>
    serveWithBlockedKey("read"),
  "credential-process ends in time when lookup of a file blocks": () => readBlockedFiles("lookup"),
  "credential-process ends in time when open of a file blocks": () => readBlockedFiles("open"),
  "credential-process does without the cache when its file system blocks": cacheBlockedSession,
  "update ends on SIGTERM when lookup of the credentials file blocks": () =>
    updateBlockedFile("lookup"),
  "update ends on SIGTERM when read of the credentials file blocks": () =>
    updateBlockedFile("read"),
};

testWith(["fuse-mount"], "no command waits for a file system that blocks", async (context) => {
  const results = await Promise.allSettled(Object.values(CASES).map((run) => run()));
  for (const [i, name] of Object.keys(CASES).entries()) {
    await context.step(name, () => {
      const result = results[i];
      if (result?.status === "rejected") throw result.reason;
    });
  }
});

testWith(
  ["fuse-mount"],
  "update --once ends on SIGTERM while the file system of the credentials file blocks",
  async () => {
    await using files = await BlockingFiles.mount();
    await using scenario = await SessionScenario.create();
    await files.block("lookup");
    await using update = new RunningBinary(["update", "--once", ...scenario.flags], {
      AWS_SHARED_CREDENTIALS_FILE: `${files.path}/credentials`,
    });
    const limit = AbortSignal.timeout(60_000);
    while (scenario.emulator.requests.length === 0 || await files.waiting() === 0) {
      limit.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const started = performance.now();
    update.kill("SIGTERM");
    assertEquals((await update.end()).code, 130);
    assertLess(performance.now() - started, END_TIMEOUT);
  },
);

testWith(
  ["linux", "program:python3"],
  "a key that a file server has leased is read when the lease has ended",
  async () => {
    await using scenario = await SessionScenario.create();
    // As Samba does with "kernel oplocks": the lease ends a second after it is asked for.
    const script = `import fcntl, os, signal, sys, time
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
def broken(*_):
    time.sleep(1)
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os._exit(0)
signal.signal(signal.SIGIO, broken)
print("leased", flush=True)
while True:
    time.sleep(1)`;
    const lease = new Deno.Command("python3", {
      args: ["-c", script, scenario.identity.keyPath],
      stdout: "piped",
    }).spawn();
    try {
      const output = lease.stdout.getReader();
      await output.read();
      const { code, stderr } = await runBinary(["credential-process", ...scenario.flags]);
      assertEquals([code, stderr], [0, ""]);
      await output.cancel();
    } finally {
      try {
        lease.kill("SIGKILL");
      } catch {
        // it has ended
      }
      await lease.status;
    }
  },
);
