/**
 * Runs the CreateSession emulator until SIGINT or SIGTERM:
 *
 *     deno run -A tests/emulator/main.ts --trust-anchor ca.pem --certificate server.pem \
 *       --key server.key --region us-east-1 [--port 0] [--path-prefix /prefix]
 *
 * Prints `emulator: https://localhost:PORT` when it is ready. Without a server certificate it speaks
 * plain HTTP. Ends with 0 after a signal, 2 when it is called wrongly or cannot start.
 */
import { parseArgs } from "node:util";

import { CreateSessionEmulator, type EmulatorOptions } from "./emulator.ts";

if (import.meta.main) {
  try {
    await run(readOptions(Deno.args));
  } catch (error) {
    printLine(Deno.stderr, `emulator: ${error instanceof Error ? error.message : String(error)}`);
    Deno.exit(2);
  }
}

async function run(options: EmulatorOptions): Promise<void> {
  await using emulator = await CreateSessionEmulator.start(options);
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = () => resolve();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  printLine(Deno.stdout, `emulator: ${emulator.url}`);
  await promise;
  for (const signal of signals) Deno.removeSignalListener(signal, stop);
}

function readOptions(args: readonly string[]): EmulatorOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "trust-anchor": { type: "string", multiple: true },
      certificate: { type: "string" },
      key: { type: "string" },
      region: { type: "string" },
      port: { type: "string", default: "0" },
      "path-prefix": { type: "string", default: "" },
    },
  });
  const { certificate, key, region } = values;
  const trustAnchors = values["trust-anchor"] ?? [];
  if (region === undefined || trustAnchors.length === 0) {
    throw new Error("--trust-anchor and --region are required");
  }
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Error("--certificate and --key go together");
  }
  return {
    trustAnchors: trustAnchors.map((path) => Deno.readTextFileSync(path)),
    region,
    port: Number(values.port),
    pathPrefix: values["path-prefix"],
    ...(certificate === undefined || key === undefined ? {} : {
      tls: { certificate: Deno.readTextFileSync(certificate), key: Deno.readTextFileSync(key) },
    }),
  };
}

function printLine(stream: { writeSync(bytes: Uint8Array): number }, line: string): void {
  stream.writeSync(new TextEncoder().encode(`${line}\n`));
}
