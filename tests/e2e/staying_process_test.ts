import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { BINARY, leastEnvironment, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { CREDENTIALS_PATH, END_TIMEOUT, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { freePort } from "../support/free_port.ts";

const MEANINGLESS: readonly Deno.Signal[] = ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGIO"];

testWith(["linux", "binary"], "signals without a meaning do not end serve", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario);
  for (const signal of MEANINGLESS) serve.binary.kill(signal);
  await (await serve.get(CREDENTIALS_PATH)).body?.cancel();
  assertEquals((await serve.end()).code, 0);
});

/** Command that runs a program in a folder, without a limit on core dumps. */
const IN_FOLDER = ["sh", "-c", 'ulimit -c unlimited && cd "$0" && exec "$@"'];

/** Returns true if a crashing program leaves a core file in its folder on this machine. */
async function dumpsIntoFolder(directory: TemporaryDirectory): Promise<boolean> {
  const [command = "", ...rest] = [...IN_FOLDER, directory.path, "sh", "-c", "kill -ABRT $$"];
  await runProgram(command, rest);
  const files = coreFiles(directory);
  for (const file of files) await Deno.remove(directory.join(file));
  return files.length > 0;
}

function coreFiles(directory: TemporaryDirectory): string[] {
  return Array.from(Deno.readDirSync(directory.path), ({ name }) => name)
    .filter((name) => name.startsWith("core"));
}

for (const command of ["serve", "update"]) {
  testWith(["linux", "binary"], `a crash of ${command} leaves no core file`, async (t) => {
    await using scenario = await SessionScenario.create();
    using directory = new TemporaryDirectory();
    const withControl = await dumpsIntoFolder(directory);
    const env = { AWS_SHARED_CREDENTIALS_FILE: directory.join("credentials") };
    const flags = command === "serve" ? ["--port=0"] : [];
    await using run = new RunningBinary([command, ...scenario.flags, ...flags], env, [
      ...IN_FOLDER,
      directory.path,
    ]);
    await run.waitForLine(/credentials are valid until|wrote|refresh/);
    const limits = await Deno.readTextFile(`/proc/${run.pid}/limits`);
    assertMatch(limits, /^Max core file size\s+0\s+0\s/m);
    // The owner of the folder in /proc shows that the process cannot be dumped, not even to a pipe.
    const { uid } = await Deno.stat(`/proc/${run.pid}/fd`);
    assertEquals(uid, 0);
    run.kill("SIGABRT");
    assertEquals((await run.end()).code, 134);
    await t.step(`control: another program ${withControl ? "left" : "left no"} core file`, () => {
      assertEquals(coreFiles(directory), []);
    });
  });
}

/** Starts serve with its standard error connected by a shell, and waits until it responds. */
async function startWith(
  scenario: SessionScenario,
  port: number,
  redirection: string,
  place: string,
): Promise<Deno.ChildProcess> {
  const child = new Deno.Command("sh", {
    args: ["-c", `exec "$@" ${redirection}`, place, BINARY, "serve", "--debug"]
      .concat(scenario.flags, `--port=${port}`),
    clearEnv: true,
    env: leastEnvironment(),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer) return child;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill("SIGKILL");
  throw new Error("serve never answered");
}

/** Returns the statuses of this many requests, each of which --debug logs. */
async function statuses(port: number, requests: number): Promise<Set<number>> {
  const found = new Set<number>();
  for (let i = 0; i < requests; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/latest/api/token`, {
      method: "PUT",
      signal: AbortSignal.timeout(10_000),
    });
    await answer.body?.cancel();
    found.add(answer.status);
  }
  return found;
}

async function endOf(child: Deno.ChildProcess): Promise<number> {
  const started = performance.now();
  child.kill("SIGTERM");
  const { code } = await child.status;
  assertLess(performance.now() - started, END_TIMEOUT);
  return code;
}

testWith(
  ["linux", "binary"],
  "serve --debug answers while nobody reads its standard error",
  async (t) => {
    await using scenario = await SessionScenario.create();
    using directory = new TemporaryDirectory();
    await t.step("a reader that has gone, as with | head -1", async () => {
      const fifo = directory.join("gone");
      await runProgram("mkfifo", [fifo]);
      const reader = new Deno.Command("head", { args: ["-1", fifo], stdout: "null" }).spawn();
      const port = freePort();
      const child = await startWith(scenario, port, '2>"$0"', fifo);
      await reader.status;
      assertEquals([...await statuses(port, 100)], [200]);
      assertEquals(await endOf(child), 0);
    });
    await t.step("a closed descriptor", async () => {
      const port = freePort();
      const child = await startWith(scenario, port, "2>&-", "sh");
      assertEquals([...await statuses(port, 20)], [200]);
      assertEquals(await endOf(child), 0);
    });
    await t.step("a pipe that is full, then read: what was dropped is counted", async () => {
      const fifo = directory.join("full");
      await runProgram("mkfifo", [fifo]);
      // Keeps the pipe open, and reads only when a file requests it.
      await using reader = new Deno.Command("sh", {
        args: ["-c", 'exec 3<"$0"; read line; exec cat <&3', fifo],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const port = freePort();
      const child = await startWith(scenario, port, '2>"$0"', fifo);
      assertEquals([...await statuses(port, 4000)], [200]);
      const stdin = reader.stdin.getWriter();
      await stdin.write(new TextEncoder().encode("\n"));
      let text = "";
      const read = (async () => {
        for await (const part of reader.stdout.pipeThrough(new TextDecoderStream())) text += part;
      })();
      for (let tries = 0; tries < 600 && !text.includes("log lines were dropped"); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assertEquals(await endOf(child), 0);
      await stdin.close();
      await read;
      const lines = text.trimEnd().split("\n");
      const report = lines.find((line) => line.includes("log lines were dropped"));
      assertMatch(report ?? "", /^aws_signing_helper: warning: \d+ log lines were dropped/);
      const logged = lines.filter((line) => line.includes('"event":"request"')).length;
      const dropped = Number(/(\d+) log lines/.exec(report ?? "")?.[1]);
      assert(dropped > 0 && logged + dropped >= 4000, `${logged} logged, ${dropped} dropped`);
    });
    await t.step("a pipe that stays full", async () => {
      const fifo = directory.join("stays");
      await runProgram("mkfifo", [fifo]);
      await using reader = new Deno.Command("sh", {
        args: ["-c", 'exec 3<"$0"; read line', fifo],
        stdin: "piped",
      }).spawn();
      const port = freePort();
      const child = await startWith(scenario, port, '2>"$0"', fifo);
      assertEquals([...await statuses(port, 2000)], [200]);
      assertEquals(await endOf(child), 0);
      await reader.stdin.close();
    });
  },
);

testWith(
  ["linux", "binary"],
  "credential-process prints all of its output to a slow, non-blocking pipe",
  async () => {
    await using scenario = await SessionScenario.create();
    // The pipe is full and non-blocking at both ends, like one of a Node.js parent.
    const script = `import fcntl, json, os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
filled = 0
try:
    while True: filled += os.write(w, b" " * 4096)
except BlockingIOError: pass
child = subprocess.Popen(sys.argv[1:], stdout=w, stderr=w)
os.close(w)
time.sleep(1)
data = b""
while chunk := os.read(r, 65536): data += chunk
print(json.loads(data)["Version"], child.wait())`;
    const { stdout, stderr } = await runProgram("python3", [
      ...["-c", script, BINARY, "credential-process", ...scenario.flags],
    ]);
    assertEquals([stdout, stderr], ["1 0\n", ""]);
  },
);
