import { assertEquals, assertLess, assertMatch } from "@std/assert";

import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { CREDENTIALS_PATH, END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** The limit is a second; a busy machine may need much more. Without a limit the program hangs. */
const SOON = 60_000;
/** A response that waits for the key takes 20 s. */
const RESPONSE_TIMEOUT = 15_000;

const rest = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function makeFifo(path: string): Promise<string> {
  const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
  assertEquals(success, true);
  return path;
}

/** Flags, or environment, that make the program read `path`. */
const READERS: Record<
  string,
  {
    flags: (path: string) => string[];
    env?: (path: string) => Record<string, string>;
    code: number;
  }
> = {
  "a certificate": { flags: (path) => [`--certificate=${path}`], code: 3 },
  "a private key": { flags: (path) => [`--private-key=${path}`], code: 3 },
  "intermediates": { flags: (path) => [`--intermediates=${path}`], code: 3 },
  "a CA bundle": { flags: (path) => [`--ca-bundle=${path}`], code: 2 },
  "a password": { flags: (path) => [`--pkcs8-password=file:${path}`], code: 3 },
};

for (const [what, { flags, code }] of Object.entries(READERS)) {
  testWith(
    ["linux"],
    `credential-process refuses ${what} that would block, within a second`,
    async () => {
      await using scenario = await SessionScenario.create();
      const locked = scenario.directory.join("locked.pem");
      const lock = ["pkcs8", "-topk8", "-in", scenario.identity.keyPath, "-out", locked];
      await runProgram("openssl", [...lock, "-passout", "pass:x"]);
      const key = what === "a password" ? [`--private-key=${locked}`] : [];
      const fifo = await makeFifo(scenario.directory.join("fifo"));
      for (const path of [fifo, "/dev/zero", scenario.directory.path]) {
        const started = performance.now();
        const result = await runBinary(
          ["credential-process", ...scenario.flags, ...key, ...flags(path)],
        );
        assertEquals([result.code, result.stdout], [code, ""], result.stderr);
        assertMatch(
          result.stderr,
          path === fifo
            ? / is a FIFO that no program writes to; start its writer\n$/
            : /; [^\n]*\n$/,
        );
        assertLess(performance.now() - started, SOON);
      }
      assertEquals(scenario.emulator.requests.length, 0);
    },
  );
}

testWith(
  ["linux"],
  "selectors, SDK settings and credentials files that would block are not read",
  async () => {
    await using scenario = await SessionScenario.create();
    const fifo = await makeFifo(scenario.directory.join("fifo"));
    const started = performance.now();
    const selector = await runBinary(
      ["credential-process", ...scenario.serviceFlags, `--cert-selector=file://${fifo}`],
    );
    assertEquals([selector.code, selector.stdout], [2, ""]);
    assertMatch(selector.stderr, /is a FIFO that no program writes to/);
    const configured = await runBinary(["credential-process", ...scenario.flags], {
      env: { AWS_CONFIG_FILE: fifo },
    });
    assertEquals([configured.code, configured.stderr], [
      0,
      `warning: the settings in ${fifo} are not used: it is not a regular file; name another\n`,
    ]);
    const updated = await runBinary(["update", "--once", ...scenario.flags], {
      env: { AWS_SHARED_CREDENTIALS_FILE: fifo },
    });
    assertEquals(updated.code, 1);
    assertMatch(updated.stderr, /fifo was not changed: it is not a regular file; name another\n$/);
    const lock = await makeFifo(scenario.directory.join(".new.aws_signing_helper.lock"));
    const locked = await runBinary(["update", "--once", ...scenario.flags], {
      env: { AWS_SHARED_CREDENTIALS_FILE: scenario.directory.join("new") },
    });
    assertEquals(locked.code, 1);
    assertMatch(locked.stderr, new RegExp(`${lock}: the lock path is not a regular file`));
    assertLess(performance.now() - started, SOON);
  },
);

testWith(["linux"], "a PKCS#11 module that is a FIFO is refused and not loaded", async () => {
  await using scenario = await SessionScenario.create();
  // LD_PRELOAD, which the crash check uses, does not accept paths with spaces.
  for (const name of ["fifo", "a fifo"]) {
    const fifo = await makeFifo(scenario.directory.join(name));
    const { code, stderr } = await runBinary([
      ...["credential-process", ...scenario.serviceFlags, "--certificate=pkcs11:object=x"],
      `--pkcs11-lib=${fifo}`,
    ]);
    assertEquals([code, stderr], [
      3,
      `aws_signing_helper: --pkcs11-lib: ${fifo} is not a regular file; name a PKCS#11 module\n`,
    ]);
  }
});

testWith(
  ["linux", "program:bash"],
  "a key from <(…), standard input, a descriptor or a FIFO is waited for while a program writes it",
  async () => {
    await using scenario = await SessionScenario.create();
    const { certificatePath, keyPath } = scenario.identity;
    const flags = [`--certificate=${certificatePath}`, ...scenario.serviceFlags];
    const fifo = await makeFifo(scenario.directory.join("fifo"));
    const slowly = `sleep 2; head -c 100 '${keyPath}'; sleep 1; tail -c +101 '${keyPath}'`;
    const run = [`'${BINARY}' credential-process "$@"`];
    const scripts = [
      `${run} --private-key <(${slowly})`,
      `(${slowly}) | ${run} --private-key /dev/stdin`,
      `${run} --private-key /dev/stdin < '${keyPath}'`,
      `${run} --private-key /dev/fd/7 7< <(${slowly})`,
      // Its open waits for the reader; a reader that does not come must not keep the test waiting.
      `timeout 60 bash -c "exec > '${fifo}'; ${slowly}" & ${run} --private-key '${fifo}'`,
    ];
    await Promise.all(scripts.map(async (script) => {
      const { code, stderr } = await runProgram("bash", ["-c", script, "bash", ...flags]);
      assertEquals([code, stderr], [0, ""], script);
    }));
  },
);

testWith(
  ["linux", "program:bash"],
  "a key from a FIFO is waited for when its writer comes after the reader",
  async () => {
    await using scenario = await SessionScenario.create();
    const { certificatePath, keyPath } = scenario.identity;
    const fifo = await makeFifo(scenario.directory.join("fifo"));
    const script = `'${BINARY}' credential-process "$@" & reader=$!
until ls -l /proc/$reader/fd | grep -q ' ${fifo}$'; do kill -0 $reader || break; sleep 0.02; done
cat '${keyPath}' > '${fifo}' & wait $reader; code=$?; kill $! ; exit $code`;
    const flags = [`--certificate=${certificatePath}`, ...scenario.serviceFlags];
    const args = ["-c", script, "bash", ...flags, `--private-key=${fifo}`];
    // A machine that is busy for 0.8 s between two lines of the script lets the reader's limit pass.
    const attempts: number[] = [];
    while (attempts.at(-1) !== 0 && attempts.length < 10) {
      const { code, stderr } = await runProgram("bash", args);
      if (code !== 0) assertMatch(stderr, /is a FIFO that no program writes to/);
      attempts.push(code);
    }
    assertEquals(attempts.at(-1), 0, attempts.join(" "));
  },
);

testWith(
  ["linux", "program:python3"],
  "a key is read from a standard input that is a socket, as from Node",
  async () => {
    await using scenario = await SessionScenario.create();
    const { certificatePath, keyPath } = scenario.identity;
    const script = `import socket, subprocess, sys
ours, theirs = socket.socketpair()
child = subprocess.Popen(sys.argv[2:], stdin=theirs)
theirs.close()
ours.sendall(open(sys.argv[1], "rb").read())
ours.shutdown(socket.SHUT_WR)
sys.exit(child.wait())`;
    const { code, stderr } = await runProgram("python3", [
      ...["-c", script, keyPath, BINARY, "credential-process", "--private-key", "/dev/stdin"],
      ...[`--certificate=${certificatePath}`, ...scenario.serviceFlags],
    ]);
    assertEquals([code, stderr], [0, ""]);
  },
);

/** Replaces a file by a FIFO; with `isHeld`, by one that a program has open without writing to it. */
async function replaceByFifo(path: string, isHeld: boolean): Promise<Disposable> {
  const fifo = await makeFifo(`${path}.fifo`);
  const held = isHeld ? Deno.openSync(fifo, { read: true, write: true }) : undefined;
  Deno.renameSync(fifo, path);
  return { [Symbol.dispose]: () => held?.close() };
}

/** Waits until a process has opened a file. */
async function waitForReader(pid: number, path: string): Promise<void> {
  const limit = AbortSignal.timeout(60_000);
  for (;;) {
    limit.throwIfAborted();
    const { stdout } = await runProgram("find", [`/proc/${pid}/fd`, "-lname", path]);
    if (stdout !== "") return;
    await rest(20);
  }
}

for (const isHeld of [false, true]) {
  const what = isHeld ? "a FIFO whose writer is silent" : "a FIFO";
  testWith(
    ["linux"],
    `serve answers and ends on SIGTERM when its key has become ${what}`,
    async () => {
      await using scenario = await SessionScenario.create({}, { sessionSeconds: 20 });
      await using serve = await ServeProcess.start(scenario);
      using _fifo = await replaceByFifo(scenario.identity.keyPath, isHeld);
      // It reads the key after 2.5 to 10 s.
      if (isHeld) await waitForReader(serve.binary.pid, scenario.identity.keyPath);
      else {
        await serve.binary.waitForLine(
          /is a FIFO that no program writes to; .* are still used$/,
        );
      }
      for (let i = 0; i < 5; i++) {
        const started = performance.now();
        assertEquals((await (await serve.get(CREDENTIALS_PATH)).json()).Code, "Success");
        assertLess(performance.now() - started, RESPONSE_TIMEOUT);
      }
      const { code, milliseconds } = await serve.end();
      assertEquals(code, 0);
      assertLess(milliseconds, END_TIMEOUT);
    },
  );
}

testWith(
  ["linux"],
  "update continues and ends on SIGTERM when its files are replaced by FIFOs",
  async () => {
    await using scenario = await SessionScenario.create({}, { sessionSeconds: 8 });
    const home = scenario.directory.path;
    await using update = new RunningBinary(["update", ...scenario.flags], { HOME: home });
    await update.waitForLine(/: wrote /);
    using _certificate = await replaceByFifo(scenario.identity.certificatePath, false);
    await update.waitForLine(/is a FIFO that no program writes to; .* are still used$/);
    using _credentials = await replaceByFifo(`${home}/.aws/credentials`, true);
    await update.waitForLine(/credentials was not changed: it is not a regular file/);
    update.kill("SIGTERM");
    const started = performance.now();
    assertEquals((await update.end()).code, 0);
    assertLess(performance.now() - started, END_TIMEOUT);
  },
);

Deno.test("a section of the SDKs' configuration file with an unterminated quote is ignored at once", async () => {
  await using scenario = await SessionScenario.create();
  const escapes = '\\"'.repeat(400_000);
  for (const name of [`"${escapes}`, '"\\'.repeat(300_000), "'", `"a" "`]) {
    const file = scenario.directory.write(
      "config",
      `[profile ${name}]\nca_bundle = /nothing\n[profile "it's \\"x\\""]\nca_bundle = /other\n`,
    );
    const run = (profile: string) =>
      runBinary([
        "credential-process",
        ...scenario.serviceFlags.slice(0, -2),
        `--certificate=${scenario.identity.certificatePath}`,
        `--private-key=${scenario.identity.keyPath}`,
      ], {
        env: { AWS_CONFIG_FILE: file, AWS_PROFILE: profile },
      });
    const named = await run(`it's "x"`);
    assertEquals(named.code, 2, named.stderr.slice(0, 300));
    assertMatch(named.stderr, /: \/other cannot be read/);
  }
});
