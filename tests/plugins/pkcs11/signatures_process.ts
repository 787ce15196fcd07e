// deno-lint-ignore-file no-console -- the test reads its standard output
/**
 * Opens a key and signs with it again and again. Prints the memory in use after each round, with
 * all garbage collected: JSON, bytes.
 *
 * Usage: deno run -A --v8-flags=--expose-gc signatures_process.ts MODULE URI ROUND…
 */
import { endProcess } from "../../../src/runtime/end_process.ts";
import { createKeystore, moduleContext, parseUri } from "./keystore_context.ts";

/** V8's garbage collector, exposed by the flag above. */
const { gc: collectGarbage } = globalThis as unknown as { gc(): void };

const [module = "", uri = "", ...rounds] = Deno.args;
const keystore = createKeystore();
const memory: { runtime: number; resident: number }[] = [];
for (const round of rounds) {
  for (let i = 0; i < Number(round); i++) {
    await using signer = await keystore.openKey(parseUri(uri), moduleContext(module));
    await signer.sign(new Uint8Array(100), "SHA-256");
  }
  collectGarbage();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  memory.push({ runtime: heapUsed + external, resident: rss });
}
console.log(JSON.stringify(memory));
// As the program ends: 1 of 250 processes that ran exit handlers printed "double free or corruption".
await endProcess(0);
