/**
 * Program with a double of an operating system's store. It runs whole commands on systems without
 * such a store, and on Windows if wine's store is not enough. The variable STORE_PROGRAM names a JSON
 * file with the contents of the double. The program writes the number of live objects at the end to a
 * file next to it.
 *
 * @module
 */
import { promptSecret } from "../../src/cli/terminal/prompt.ts";
import { InputMemory } from "../../src/cli/input_memory.ts";
import { run } from "../../src/cli/run.ts";
import { takeVariable } from "../../src/runtime/take_variable.ts";
import { holdSignals, onHangup } from "../../src/cli/terminal/signals.ts";
import { disableCoreDumps, ignoreMeaninglessSignals } from "../../src/runtime/limits.ts";
import type { Platform, System } from "../../src/cli/system.ts";
import { HelperError, messageOf } from "../../src/errors.ts";
import type { Keystore } from "../../src/keystore/types.ts";
import { CngDouble } from "./cng/double.ts";
import { KeychainDouble } from "./keychain/double.ts";
import type { StoreDescription } from "./store_description.ts";

function openDouble(description: StoreDescription): CngDouble | KeychainDouble {
  const { library, failure, secret } = description;
  const read = <T extends { certificatePath: string }>(item: T) => ({
    ...item,
    encoded: Deno.readFileSync(item.certificatePath),
  });
  let double: CngDouble | KeychainDouble;
  if (description.platform === "windows") {
    double = new CngDouble(library);
    double.hold(description.certificates.map(read));
  } else {
    double = new KeychainDouble(library);
    double.hold(description.certificates.map(read));
  }
  if (secret !== undefined) double.setSecret(secret);
  if (failure) double.fail(failure.function, failure.code, failure.successes);
  return double;
}

function writeLine(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

function worldOf(platform: Platform, store: Keystore): System {
  return {
    platform,
    architecture: Deno.build.arch,
    registry: async (scheme) =>
      scheme === "file" ? (await import("../../plugins/file/mod.ts")).keystore : store,
    environment: (name) => Deno.env.get(name),
    environmentNames: () => Object.keys(Deno.env.toObject()),
    programPath: () => Deno.execPath(),
    currentDirectory: () => Deno.cwd(),
    homeDirectory: () => Deno.env.get("HOME"),
    inputs: new InputMemory({
      takeVariable,
      readDescriptor: () => Promise.reject(new Error("no descriptor")),
    }),
    hostName: () => Deno.hostname(),
    write: (output) =>
      void Deno.stdout.writeSync(
        typeof output === "string" ? new TextEncoder().encode(output) : output,
      ),
    announce: writeLine,
    log: writeLine,
    prompt: promptSecret,
    now: () => new Date(),
    monotonic: () => performance.now(),
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    random: () => Math.random(),
    holdSignals,
    onHangup,
    protectMemory: () => Promise.resolve(disableCoreDumps()),
    stay: () => Promise.resolve(ignoreMeaninglessSignals()),
  };
}

async function main(): Promise<number> {
  const path = Deno.env.get("STORE_PROGRAM") ?? "";
  const description: StoreDescription = JSON.parse(Deno.readTextFileSync(path));
  using double = openDouble(description);
  const system = worldOf(description.platform, double.keystore);
  try {
    await run(Deno.args, system);
    return 0;
  } catch (thrown) {
    system.log(`store_program: ${messageOf(thrown)}`);
    return thrown instanceof HelperError ? thrown.exitCode : 99;
  } finally {
    Deno.writeTextFileSync(`${path}.live`, String(double.live));
  }
}

main().then((code) => Deno.exit(code));
