/**
 * The service of the benchmarks: CreateSession over HTTPS, in a process of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** A running service; its identity and flags are in its folder. */
export interface Service extends AsyncDisposable {
  readonly directory: string;
  readonly keyPath: string;
  /** The flags of a `credential-process` that succeeds. */
  readonly flags: readonly string[];
}

/** Starts `service.ts` and waits until it is ready. */
export async function startService(latencyMilliseconds = 0): Promise<Service> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--cached-only",
      "--allow-all",
      "--no-check",
      fileURLToPath(new URL("service.ts", import.meta.url)),
      String(latencyMilliseconds),
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.endsWith("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the service of the benchmark did not start");
    line += value;
  }
  return {
    ...JSON.parse(line),
    async [Symbol.asyncDispose]() {
      await reader.cancel();
      await child.stdin.close();
      await child.status;
    },
  };
}
