// deno-lint-ignore-file no-console -- the test that starts it reads its output
/**
 * A process that signs in a loop, as `serve` and `update` do. It opens key and certificate again
 * for each signature, and verifies the signature with node:crypto. Prints one line of JSON, {@link
 * SigningReport}.
 *
 * Usage: deno run -A signing_process.ts PRIVATE-KEY CERTIFICATE PASSWORD signatures|seconds NUMBER
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPublicKey, verify } from "node:crypto";
import { endProcess } from "../../../src/runtime/end_process.ts";
import { HelperError } from "../../../src/errors.ts";
import { createRegistry, type KeystoreLoaders } from "../../../src/keystore/registry.ts";
import { openIdentity } from "../../../src/keystore/open_identity.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { parseKeystoreUri, SCHEMES } from "../../../src/keystore/uri.ts";
import { NO_CONTEXT } from "../scripted_context.ts";
import { REAL_CLOCKS } from "../real_clocks.ts";

/** Results of a signing process. */
export interface SigningReport {
  readonly signed: number;
  /** Number of signatures that do not verify. */
  readonly wrong: number;
  /** Number of errors because the TPM was busy. */
  readonly busy: number;
  /** Messages of other errors. */
  readonly failures: readonly string[];
  /** Number of retries because the TPM was busy. */
  readonly retries: number;
  /** Resident memory after two fifths of the signatures, and at the end, in MB. */
  readonly resident: readonly [early: number, late: number];
  /** Memory allocated by the C library, in MB: the minimum of several samples. */
  readonly allocated: readonly [early: number, late: number];
}

const [privateKey = "", certificate = "", password = "", unit = "", number = ""] = Deno.args;
const goal = Number(number);
let retries = 0;
const unused: KeystoreLoaders["file"] = () => Promise.reject(new Error("not used here"));
const registry = createRegistry({
  ...Object.fromEntries(Object.keys(SCHEMES).map((scheme) => [scheme, unused])) as KeystoreLoaders,
  file: () => import("../../../plugins/file/mod.ts"),
  handle: () => import("../../../plugins/tpm/mod.ts"),
});
const context: KeystoreContext = {
  ...NO_CONTEXT,
  ...REAL_CLOCKS,
  secret: (name) =>
    Promise.resolve(
      name === "tpm-key-password" && password !== undefined
        ? { text: password, source: `--${name}` }
        : undefined,
    ),
  environment: (name) => Deno.env.get(name),
  debug: (message) => {
    if (/^tpm: attempt/.test(message)) retries += 1;
  },
};
const source = {
  privateKey: parseKeystoreUri(privateKey, "--private-key"),
  certificate: parseKeystoreUri(certificate, "--certificate"),
};

/** struct mallinfo2 of ten size_t; uordblks, the allocated bytes, is the eighth. */
using libc = Object.assign(
  Deno.dlopen("libc.so.6", {
    mallinfo2: { parameters: [], result: { struct: Array<"usize">(10).fill("usize") } },
  }),
  { [Symbol.dispose]: () => libc.close() },
);

/** Returns the allocated memory in MB, after a garbage collection. */
function readAllocated(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const info = Uint8Array.from(libc.symbols.mallinfo2());
  return Number(new BigUint64Array(info.buffer)[7]) / 1e6;
}

const EARLY = 0.4 * goal;
/** Number of signatures that the minimum is taken over, and between two samples. */
const WINDOW = 200;
const STEP = 10;
const memory = { early: Infinity, late: Infinity, resident: 0 };

function watchMemory(signed: number): void {
  if (signed % STEP !== 0) return;
  if (signed === EARLY) memory.resident = Deno.memoryUsage().rss / 1e6;
  if (signed > EARLY - WINDOW && signed <= EARLY) {
    memory.early = Math.min(memory.early, readAllocated());
  }
  if (signed > goal - WINDOW) memory.late = Math.min(memory.late, readAllocated());
}

let signed = 0;
let wrong = 0;
let busy = 0;
const failures: string[] = [];
const isDone = () => unit === "seconds" ? performance.now() > 1000 * goal : signed >= goal;
while (!isDone() && failures.length < 10) {
  try {
    await using identity = await openIdentity(source, registry, context);
    const message = crypto.getRandomValues(new Uint8Array(100));
    const signature = await identity.signer.sign(message, "SHA-256");
    const key = createPublicKey({
      key: Buffer.from(identity.signer.publicKey.encoded),
      format: "der",
      type: "spki",
    });
    signed += 1;
    if (!verify("sha256", message, key, signature)) wrong += 1;
  } catch (thrown) {
    if (thrown instanceof HelperError && thrown.message.includes("the TPM is busy")) busy += 1;
    else failures.push(thrown instanceof Error ? thrown.message : String(thrown));
  }
  if (unit === "signatures") watchMemory(signed);
}
console.log(JSON.stringify(
  {
    signed,
    wrong,
    busy,
    failures,
    retries,
    resident: [memory.resident, Deno.memoryUsage().rss / 1e6],
    allocated: [memory.early, memory.late],
  } satisfies SigningReport,
));
// As the program does: exit handlers of OpenSSL may crash.
await endProcess(0);
