// deno-lint-ignore-file no-console -- a benchmark prints its results
/**
 * `make bench-runtime`: start-up of the bundle under `deno run` of a version of Deno, without a
 * code cache. It is a ratio to hello world under the same version, measured in turns.
 *
 * Usage: deno run -A tests/bench/under_deno_run.ts LAUNCHER
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import { leastEnvironment } from "../support/binary.ts";
import { generateKey } from "../support/certificates.ts";
import { median, timeRun } from "./measure.ts";
import { startService } from "./start_service.ts";

const RUNS = 20;
const WARM_UPS = 2;

/** Writes a launcher for another program of this folder, with the flags of the program's launcher. */
async function launcherOf(launcher: string, program: string): Promise<string> {
  // It is JavaScript: the name keeps Deno from compiling it.
  const script = `${launcher}_${program}.js`;
  await Deno.copyFile(fileURLToPath(new URL(`${program}.ts`, import.meta.url)), script);
  const text = await Deno.readTextFile(launcher);
  const path = `${launcher}_${program}`;
  await Deno.writeTextFile(path, text.replace(/'[^']*\/loader\.js'/, () => `'${script}'`));
  await Deno.chmod(path, 0o755);
  return path;
}

/** Returns the value of a flag. */
function valueOf(flags: readonly string[], name: string): string {
  return flags[flags.indexOf(name) + 1] ?? "";
}

const launcher = resolve(Deno.args[0] ?? "build/runtime/aws_signing_helper");
const helloWorld = await launcherOf(launcher, "hello_world");
const leastHttps = await launcherOf(launcher, "least_https");
await using service = await startService();
const { directory, flags } = service;
const [ecKey = "", rsaKey = ""] = await Promise.all(
  (["ec-p256", "rsa-2048"] as const).map(async (keyType) => {
    const path = resolve(directory, `${keyType}.pem`);
    await Deno.writeTextFile(path, await generateKey(keyType), { mode: 0o600 });
    return path;
  }),
);
const session = [launcher, "credential-process", ...flags];
const subjects: Readonly<Record<string, readonly string[]>> = {
  "hello world": [helloWorld],
  "version": [launcher, "version"],
  "sign-string, EC": [launcher, "sign-string", "--private-key", ecKey],
  "sign-string, RSA": [launcher, "sign-string", "--private-key", rsaKey],
  "one HTTPS request, nothing else": [
    leastHttps,
    new URL(valueOf(flags, "--endpoint")).port,
    valueOf(flags, "--ca-bundle"),
  ],
  "credential-process, HTTPS": session,
  "the same, kept by --cache": [...session, "--cache", "--cache-dir", resolve(directory, "cache")],
};
const times = new Map(Object.keys(subjects).map((name) => [name, [] as number[]]));
for (let i = -WARM_UPS; i < RUNS; i++) {
  for (const [name, command] of Object.entries(subjects)) {
    const time = await timeRun(command, leastEnvironment());
    if (i >= 0) times.get(name)?.push(time);
  }
}
console.log(`the bundle under deno run of ${Deno.version.deno}, medians of ${RUNS} runs`);
const least = median(times.get("hello world") ?? []);
for (const [name, values] of times) {
  const time = median(values);
  console.log(`${name}: ${time.toFixed(0)} ms, ${(time / least).toFixed(2)} of hello world`);
}
