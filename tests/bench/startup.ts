// deno-lint-ignore-file no-console -- a benchmark prints its results
/**
 * Start-up of the binary on any system, as a ratio to a compiled hello world measured in turns.
 * `packaging/ci` runs it; `make bench` measures more and needs Linux.
 *
 * Usage: deno run -A tests/bench/startup.ts BINARY [RUNS]
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { compile, prepareBase } from "../../packaging/build.ts";
import { leastEnvironment } from "../support/binary.ts";
import { generateKey } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { median, timeRun } from "./measure.ts";

const DEFAULT_RUNS = 20;
const WARM_UPS = 2;

const [binary = "", runs = String(DEFAULT_RUNS)] = Deno.args;
if (binary === "" || !(Number(runs) > 0)) {
  console.error("usage: startup.ts BINARY [RUNS]");
  Deno.exit(2);
}
using directory = new TemporaryDirectory();
const bundle = directory.join("bundle");
Deno.mkdirSync(bundle);
Deno.copyFileSync(
  fileURLToPath(new URL("hello_world.ts", import.meta.url)),
  `${bundle}/hello_world.js`,
);
const target = Deno.build.target;
const helloWorld = directory.join(Deno.build.os === "windows" ? "hello.exe" : "hello");
await compile(bundle, "hello_world.js", helloWorld, target, (await prepareBase(target)).path);

const ecKey = directory.write("ec.pem", await generateKey("ec-p256"));
const rsaKey = directory.write("rsa.pem", await generateKey("rsa-2048"));
const program = resolve(binary);
const subjects: Readonly<Record<string, readonly string[]>> = {
  "hello world": [helloWorld],
  "version": [program, "version"],
  "sign-string, EC": [program, "sign-string", "--private-key", ecKey],
  "sign-string, RSA": [program, "sign-string", "--private-key", rsaKey],
};
const times = new Map(Object.keys(subjects).map((name) => [name, [] as number[]]));
for (let i = -WARM_UPS; i < Number(runs); i++) {
  for (const [name, command] of Object.entries(subjects)) {
    const time = await timeRun(command, leastEnvironment());
    if (i >= 0) times.get(name)?.push(time);
  }
}
console.log(`${target}, medians of ${runs} runs`);
const least = median(times.get("hello world") ?? []);
for (const [name, values] of times) {
  const time = median(values);
  console.log(`${name}: ${time.toFixed(0)} ms, ${(time / least).toFixed(2)} of hello world`);
}
