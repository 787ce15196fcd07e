import { assertEquals, assertMatch } from "@std/assert";
import { BINARY } from "../support/binary.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { runOnTerminal } from "../support/terminal.ts";

const PASSPHRASE = "pässwörd mit Leerzeichen";

/** Makes an encrypted key, and the command that signs with it. */
async function encryptedKey(directory: TemporaryDirectory): Promise<string[]> {
  const path = directory.join("key.pem");
  await openssl([
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-aes-256-cbc",
    "-pass",
    `pass:${PASSPHRASE}`,
    "-out",
    path,
  ]);
  return [BINARY, "sign-string", "--format", "text", "--private-key", path];
}

const QUESTION = "key.pem: ";

Deno.test("the prompt takes a passphrase from the terminal without echo", async () => {
  using directory = new TemporaryDirectory();
  const result = await runOnTerminal(await encryptedKey(directory), [[
    QUESTION,
    `${PASSPHRASE}\r`,
  ]]);
  assertEquals(result.code, 0);
  assertMatch(result.stdout, /^[0-9a-f]+\n$/);
  assertEquals(result.screen.includes("swörd"), false);
  assertEquals(result.echoes, true);
});

Deno.test("the prompt asks again after a wrong passphrase, three times in all", async () => {
  using directory = new TemporaryDirectory();
  const command = await encryptedKey(directory);
  const second = await runOnTerminal(command, [[QUESTION, "no\r"], [QUESTION, `${PASSPHRASE}\r`]]);
  assertEquals(second.code, 0);
  assertEquals(second.screen.split("Wrong passphrase. Passphrase for").length, 2, second.screen);
  const never = await runOnTerminal(command, [
    [QUESTION, "no\r"],
    [QUESTION, "never\r"],
    [QUESTION, "nowhere\r"],
  ]);
  assertEquals({ code: never.code, stdout: never.stdout }, { code: 3, stdout: "" });
  assertMatch(never.stderr, /^aws_signing_helper: [^\n]*key\.pem[^\n]*\n$/);
  assertEquals(never.echoes, true);
});

Deno.test("the prompt knows backspace over UTF-8 and Ctrl-U", async () => {
  using directory = new TemporaryDirectory();
  const { code } = await runOnTerminal(await encryptedKey(directory), [
    [QUESTION, `wrong\x15${PASSPHRASE}xö\x7f\x7f\r`],
  ]);
  assertEquals(code, 0);
});

for (
  const [what, typed, code] of [
    ["Ctrl-C", "half\x03", 130],
    ["SIGTERM", "<terminate>", 130],
    ["SIGINT of another program", "<interrupt>", 130],
    ["SIGALRM, such as of timeout -s ALRM", "<alarm>", 130],
    ["Ctrl-D", "\x04", 3],
  ] as const
) {
  Deno.test(`the prompt restores the terminal after ${what}`, async () => {
    using directory = new TemporaryDirectory();
    const result = await runOnTerminal(await encryptedKey(directory), [[QUESTION, typed]]);
    assertEquals({ code: result.code, stdout: result.stdout }, { code, stdout: "" });
    assertMatch(result.stderr, /^aws_signing_helper: [^\n]+\n$/);
    assertEquals(result.stderr.includes("no terminal"), false);
    assertEquals(result.echoes, true);
  });
}

Deno.test("the rest of a paste is discarded, so that the shell does not run it", async () => {
  using directory = new TemporaryDirectory();
  const shell = ["sh", "-c", '"$0" "$@"; timeout --foreground 1 head -c 8 </dev/tty'];
  const command = [...shell, ...await encryptedKey(directory)];
  // The terminal's buffer has 4 KB.
  for (const lines of [2, 10_000]) {
    const pasted = `${PASSPHRASE}\r${"echo one\r".repeat(lines)}`;
    const { stdout } = await runOnTerminal(command, [[QUESTION, pasted]]);
    assertMatch(stdout, /^[0-9a-f]+\n$/);
  }
});

Deno.test("two prompts of one job ask one after the other", async () => {
  using directory = new TemporaryDirectory();
  const both = ["sh", "-c", '"$0" "$@" & "$0" "$@"; wait'];
  const { stdout, stderr, echoes } = await runOnTerminal(
    [...both, ...await encryptedKey(directory)],
    [[QUESTION, `${PASSPHRASE}\r`], [QUESTION, `${PASSPHRASE}\r`]],
  );
  assertEquals([stderr, echoes], ["", true]);
  assertMatch(stdout, /^[0-9a-f]+\n[0-9a-f]+\n$/);
});

Deno.test("the prompt asks again without echo after a stop, such as of kill -TSTP and fg", async () => {
  using directory = new TemporaryDirectory();
  const result = await runOnTerminal(await encryptedKey(directory), [
    [QUESTION, "<stop>"],
    [QUESTION, `${PASSPHRASE}\r`],
  ]);
  assertEquals([result.code, result.stderr, result.echoes], [0, "", true]);
});

/** Waits until the job has a handler for SIGTERM: the fourth digit of its mask of caught signals. */
const AWAIT_HANDLER = `
  for i in $(seq 1200); do
    grep -q aws_signing /proc/$!/comm && grep -q '^SigCgt:.*[4-7c-f]...$' /proc/$!/status && break
    sleep 0.05
  done`;

Deno.test("a prompt that waits for a stopped one names it, and asks after its end", async () => {
  using directory = new TemporaryDirectory();
  const script = '"$0" "$@" & sleep 1; kill -STOP $!; (sleep 25; kill -KILL $!) & "$0" "$@"';
  const { stdout, screen } = await runOnTerminal(
    ["sh", "-c", script, ...await encryptedKey(directory)],
    [["another prompt is open on this terminal; waiting", ""], [QUESTION, `${PASSPHRASE}\r`]],
  );
  assertMatch(stdout, /^[0-9a-f]+\n$/);
  assertEquals(screen.split("waiting for it").length, 2);
});

/** Starts a command as a job of a shell in the background, then runs the rest of the script. */
const inBackground = (rest: string) => [
  ...["bash", "--norc", "-ic"],
  `"$0" "$@" &${AWAIT_HANDLER}; sleep 1; ${rest}`,
];

Deno.test("the prompt of a job in the background asks when it comes to the foreground", async () => {
  using directory = new TemporaryDirectory();
  const command = [...inBackground("fg >/dev/null"), ...await encryptedKey(directory)];
  const result = await runOnTerminal(command, [[QUESTION, `${PASSPHRASE}\r`]]);
  assertEquals([result.code, result.echoes], [0, true]);
  assertMatch(result.stdout, /^[0-9a-f]+\n$/);
});

Deno.test("the prompt of a job in the background ends on SIGTERM, also after a stop", async () => {
  using directory = new TemporaryDirectory();
  const rest = "kill -STOP $!; kill $!; kill -CONT $!; wait $!";
  const command = [...inBackground(rest), ...await encryptedKey(directory)];
  const { code, stdout, stderr, screen } = await runOnTerminal(command, []);
  assertEquals({ code, stdout, screen }, { code: 130, stdout: "", screen: "" });
  assertMatch(stderr, /^aws_signing_helper: interrupted [^\n]+$/m);
});

for (
  const [what, start] of [
    ["the leader of its session", []],
    ["a program that a shell started", ["sh", "-c", 'trap "" HUP; "$0" "$@"']],
  ] as const
) {
  Deno.test(`the prompt of ${what} ends when the terminal is closed`, async () => {
    using directory = new TemporaryDirectory();
    const command = [...start, ...await encryptedKey(directory)];
    const { code, stdout, stderr } = await runOnTerminal(command, [[QUESTION, "<close>"]]);
    assertEquals({ code, stdout }, { code: 130, stdout: "" });
    assertMatch(stderr, /^aws_signing_helper: interrupted [^\n]+\n$/);
  });
}

/** Runs a program with SIGHUP ignored; after its log has "Starting server", sends SIGHUP, then SIGTERM. */
const HANG_UP = `trap "" HUP
(
  for i in $(seq 1200); do grep -q "Starting server" "$0" 2>/dev/null && break; sleep 0.05; done
  kill -HUP $$
  sleep 0.5
  kill -TERM $$
) &
exec "$@" 2>"$0"`;

Deno.test("serve stays after a hangup if nohup started it and its prompt was answered", async () => {
  await using scenario = await SessionScenario.create();
  const key = scenario.directory.join("encrypted.pem");
  const { keyPath, certificatePath } = scenario.identity;
  // deno-fmt-ignore
  await openssl(["pkcs8", "-topk8", "-in", keyPath, "-out", key, "-passout", `pass:${PASSPHRASE}`]);
  const log = scenario.directory.join("log");
  const flags = ["--certificate", certificatePath, "--private-key", key, "--port", "0"];
  const command = ["sh", "-c", HANG_UP, log, BINARY, "serve", ...flags, ...scenario.serviceFlags];
  const { code } = await runOnTerminal(command, [["encrypted.pem: ", `${PASSPHRASE}\r`]]);
  assertEquals(code, 0, Deno.readTextFileSync(log)); // SIGHUP would be -1
});

/** Commands that open the key, and their exit codes after Ctrl-C and SIGTERM at its prompt. */
const OPENING: Readonly<Record<string, readonly [interrupt: number, terminate: number]>> = {
  "doctor": [130, 130],
  "selftest": [130, 130],
  "serve": [130, 130],
  // SIGTERM is the usual end of update.
  "update": [130, 0],
  "credential-process": [130, 130],
};

for (const [command, [interrupt, terminate]] of Object.entries(OPENING)) {
  for (
    const [what, typed, code] of [
      ["Ctrl-C", "half\x03", interrupt],
      ["SIGTERM", "<terminate>", terminate],
    ] as const
  ) {
    Deno.test(`${command} ends at the prompt after ${what}`, async () => {
      using directory = new TemporaryDirectory();
      const key = (await encryptedKey(directory)).at(-1) ?? "";
      const flags = ["--certificate", key];
      if (command !== "selftest") flags.push(...ARN_FLAGS, "--endpoint", "http://127.0.0.1:9");
      if (command === "serve") flags.push("--port", "0");
      const result = await runOnTerminal([BINARY, command, ...flags], [[QUESTION, typed]]);
      assertEquals([result.code, result.echoes], [code, true]);
      assertEquals(/problem|Result|Credentials|unexpected/.test(result.stdout), false);
      assertMatch(result.stderr, code === 0 ? /^$/ : /^aws_signing_helper: interrupted [^\n]+\n$/);
    });
  }
}
