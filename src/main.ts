/**
 * Entry point of the program: runs the command and sets the exit code. Only this file ends the process
 * and imports the keystore plugins.
 *
 * @module
 */
import { endProcess } from "./runtime/end_process.ts";
import { removeRuntimeVariables } from "./runtime/remove_variables.ts";
import { REMOVED_VARIABLES } from "./runtime/variables.ts";
import { homedir } from "node:os";
import { InputMemory } from "./cli/input_memory.ts";
import { run } from "./cli/run.ts";
import { holdSignals, onHangup } from "./cli/terminal/signals.ts";
import type { Platform, System } from "./cli/system.ts";
import { EXIT_CODES, HelperError, printable, printableLine } from "./errors.ts";
import { errnoOf } from "./files/errno.ts";
import { createRegistry } from "./keystore/registry.ts";
import type { Log } from "./runtime/stderr.ts";
import { programPath } from "./runtime/program_path.ts";
import { readVariable } from "./runtime/read_variable.ts";
import { takeVariable } from "./runtime/take_variable.ts";

/** Delay before a full stream is retried, milliseconds. */
const FULL_STREAM_DELAY = 10;

const removedVariables = removeRuntimeVariables(REMOVED_VARIABLES);
const PLATFORMS: Readonly<Record<string, Platform>> = { darwin: "darwin", windows: "windows" };

const HOME_VARIABLE = Deno.build.os === "windows" ? "USERPROFILE" : "HOME";

/** Maximum size of an input, bytes; as of a key file. */
const MAX_INPUT_BYTES = 4 << 20;

/** Maximum length of a line on standard error, characters. */
const MAX_LINE_LENGTH = 8000;

const system: System = {
  platform: PLATFORMS[Deno.build.os] ?? "linux",
  architecture: Deno.build.arch,
  registry: createRegistry({
    file: () => import("../plugins/file/mod.ts"),
    pkcs11: () => import("../plugins/pkcs11/mod.ts"),
    handle: () => import("../plugins/tpm/mod.ts"),
    keychain: () => import("../plugins/keychain/mod.ts"),
    cng: () => import("../plugins/cng/mod.ts"),
    spiffe: () => import("../plugins/spiffe/mod.ts"),
  }),
  environment: (name) => removedVariables.get(name) ?? readVariable(name),
  environmentNames: () => [...removedVariables.keys(), ...Object.keys(Deno.env.toObject())],
  inputs: new InputMemory({
    takeVariable: (name) => {
      const removed = removedVariables.get(name);
      return takeVariable(name) ??
        (removed === undefined ? undefined : new TextEncoder().encode(removed));
    },
    readDescriptor: async (number) => {
      const { readDescriptor, readStandardInput } = await import("./runtime/descriptor.ts");
      const options = { maxBytes: MAX_INPUT_BYTES };
      return await (number === 0 ? readStandardInput(options) : readDescriptor(number, options));
    },
  }),
  programPath,
  currentDirectory: () => Deno.cwd(),
  // Node's module, which takes long to load, only where the variable is not set.
  homeDirectory: () => readVariable(HOME_VARIABLE) || homedir() || undefined,
  hostName: () => Deno.hostname(),
  write: (output) => writeAll(Deno.stdout, output),
  log: (message) => log.writeLine(printable(message, MAX_LINE_LENGTH)),
  announce: (line) => log.writeLine(printableLine(line, MAX_LINE_LENGTH)),
  prompt: async (question) => {
    const { promptSecret } = await import("./cli/terminal/prompt.ts");
    return await promptSecret(question);
  },
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  random: () => Math.random(),
  holdSignals,
  onHangup,
  protectMemory: async () => (await import("./runtime/limits.ts")).disableCoreDumps(),
  stay: async () => {
    log = (await import("./runtime/stderr.ts")).createLog();
    (await import("./runtime/limits.ts")).ignoreMeaninglessSignals();
  },
};

/** Log on standard error. A closed stderr is not an error of the command. */
let log: Log = {
  writeLine: (line) => {
    try {
      writeAll(Deno.stderr, `${line}\n`);
    } catch {
      // the exit code still shows the result
    }
  },
  drain: () => Promise.resolve(),
};

function writeAll(stream: typeof Deno.stdout, output: string | Uint8Array): void {
  const bytes = typeof output === "string" ? new TextEncoder().encode(output) : output;
  try {
    for (let written = 0; written < bytes.length;) {
      written += writeSome(stream, bytes.subarray(written));
    }
  } catch (cause) {
    const why = errnoOf(cause) === "ENOSPC"
      ? ": the disk is full; free some space"
      : "; is the reader gone?";
    throw new HelperError("output", `the output cannot be written${why}`, { cause });
  }
}

/** Writes some bytes. A stream that another process made non-blocking accepts none while it is full. */
function writeSome(stream: typeof Deno.stdout, bytes: Uint8Array): number {
  try {
    return stream.writeSync(bytes);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.WouldBlock)) throw thrown;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_STREAM_DELAY);
    return 0;
  }
}

async function main(): Promise<number> {
  try {
    await run(Deno.args, system);
    return EXIT_CODES.done.value;
  } catch (thrown) {
    // Do not print the message of an unexpected error; it may contain a secret.
    const error = thrown instanceof HelperError ? thrown : new HelperError(
      "internal",
      `an unexpected ${thrown instanceof Error ? thrown.name : "failure"} in the program; ` +
        "please report it with the command that was run",
      { cause: thrown },
    );
    system.log(`aws_signing_helper: ${error.message}`);
    return error.exitCode;
  }
}

// Without this, a command that waits for what cannot happen would end the process with code 0.
let isDone = false;
addEventListener("unload", () => {
  if (isDone) return;
  system.log(
    "aws_signing_helper: the program waits for nothing; please report it with the command that was run",
  );
  Deno.exit(EXIT_CODES.failure.value);
});

// No top-level await: the bundle is a script, so that its code cache can be stored in the binary.
main().then(async (code) => {
  isDone = true;
  system.inputs[Symbol.dispose]();
  await log.drain();
  await endProcess(code);
  Deno.exit(code);
});
