/**
 * The program: command line in, exit code out. The only place that ends the process, and the only
 * one that knows the keystore plugins.
 *
 * @module
 */
import { removeRuntimeVariables } from "./runtime/remove_variables.ts";
import { homedir } from "node:os";
import { promptSecret } from "./cli/prompt.ts";
import { run } from "./cli/run.ts";
import { holdSignals } from "./cli/signals.ts";
import type { Platform, World } from "./cli/world.ts";
import { EXIT_CODES, HelperError, printable } from "./errors.ts";
import { createRegistry } from "./keystore/registry.ts";

const removedVariables = removeRuntimeVariables();
const PLATFORMS: Readonly<Record<string, Platform>> = { darwin: "darwin", windows: "windows" };

/** A longer line on standard error is cut, in characters. */
const LONGEST_LINE = 8000;

const world: World = {
  platform: PLATFORMS[Deno.build.os] ?? "linux",
  architecture: Deno.build.arch,
  registry: createRegistry({
    file: () => import("../plugins/file/mod.ts"),
    pkcs11: () => import("../plugins/pkcs11/mod.ts"),
    handle: () => import("../plugins/tpm/mod.ts"),
    keychain: () => import("../plugins/keychain/mod.ts"),
    cng: () => import("../plugins/cng/mod.ts"),
  }),
  environment: (name) => removedVariables.get(name) ?? Deno.env.get(name),
  environmentNames: () => [...removedVariables.keys(), ...Object.keys(Deno.env.toObject())],
  programPath: () => Deno.execPath(),
  currentDirectory: () => Deno.cwd(),
  homeDirectory: () => homedir() || undefined,
  hostName: () => Deno.hostname(),
  write: (output) => writeAll(Deno.stdout, output),
  say: (words) => writeAll(Deno.stderr, `${printable(words, LONGEST_LINE)}\n`),
  prompt: promptSecret,
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  random: () => Math.random(),
  holdSignals,
};

function writeAll(stream: typeof Deno.stdout, output: string | Uint8Array): void {
  const bytes = typeof output === "string" ? new TextEncoder().encode(output) : output;
  try {
    for (let written = 0; written < bytes.length;) {
      written += stream.writeSync(bytes.subarray(written));
    }
  } catch (cause) {
    throw new HelperError("output", "the output cannot be written; is the reader gone?", { cause });
  }
}

async function main(): Promise<number> {
  try {
    await run(Deno.args, world);
    return EXIT_CODES.done.value;
  } catch (thrown) {
    // A fault of the program itself is told without its text, which might hold anything.
    const error = thrown instanceof HelperError ? thrown : new HelperError(
      "internal",
      `an unexpected ${thrown instanceof Error ? thrown.name : "failure"} in the program; ` +
        "please report it with the command that was run",
      { cause: thrown },
    );
    try {
      world.say(`aws_signing_helper: ${error.message}`);
    } catch {
      // nobody reads standard error: the exit code must do
    }
    return error.exitCode;
  }
}

// No top-level await: the bundle is a script, so that its compiled code can be kept in the binary.
main().then((code) => Deno.exit(code));
