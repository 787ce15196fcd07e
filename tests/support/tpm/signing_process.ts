// deno-lint-ignore-file no-console -- its output is for the test that starts it
/**
 * A process that signs again and again, as `serve` and `update` do: key and certificate are opened
 * anew each time. Every signature is verified by the runtime's own cryptography. Prints one line of
 * JSON, {@link SigningReport}.
 *
 * Usage: deno run -A signing_process.ts PRIVATE-KEY CERTIFICATE PASSWORD signatures|seconds NUMBER
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPublicKey, verify } from "node:crypto";
import { HelperError } from "../../../src/errors.ts";
import { createRegistry, type KeystoreLoaders } from "../../../src/keystore/registry.ts";
import { openIdentity } from "../../../src/keystore/open_identity.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { parseKeystoreUri, SCHEMES } from "../../../src/keystore/uri.ts";

/** What a signing process did. */
export interface SigningReport {
  readonly signed: number;
  /** Signatures that do not verify. */
  readonly wrong: number;
  /** Times that the program said the TPM is busy. */
  readonly busy: number;
  /** Other failures, by their sentences. */
  readonly failures: readonly string[];
  /** Tries that were repeated because the TPM was busy. */
  readonly repeated: number;
  /** After two fifths of the signatures, and at the end, in MB. */
  readonly resident: readonly [early: number, late: number];
  /** What the C library has allocated, in MB: the least of several looks. */
  readonly allocated: readonly [early: number, late: number];
}

const [privateKey = "", certificate = "", password = "", unit = "", number = ""] = Deno.args;
const goal = Number(number);
let repeated = 0;
const unused: KeystoreLoaders["file"] = () => Promise.reject(new Error("not used here"));
const registry = createRegistry({
  ...Object.fromEntries(Object.keys(SCHEMES).map((scheme) => [scheme, unused])) as KeystoreLoaders,
  file: () => import("../../../plugins/file/mod.ts"),
  handle: () => import("../../../plugins/tpm/mod.ts"),
});
const context: KeystoreContext = {
  secret: (name) => Promise.resolve(name === "tpm-key-password" ? password : undefined),
  setting: () => undefined,
  isOn: () => false,
  environment: (name) => Deno.env.get(name),
  prompt: () => Promise.resolve(undefined),
  say: () => {},
  debug: (words) => {
    if (/^tpm: try/.test(words)) repeated += 1;
  },
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  holdSignals: () => ({ signal: new AbortController().signal, [Symbol.dispose]() {} }),
};
const source = {
  privateKey: parseKeystoreUri(privateKey, "--private-key"),
  certificate: parseKeystoreUri(certificate, "--certificate"),
};

/** struct mallinfo2 of ten size_t; uordblks, what is in use, is the eighth. */
using libc = Object.assign(
  Deno.dlopen("libc.so.6", {
    mallinfo2: { parameters: [], result: { struct: Array<"usize">(10).fill("usize") } },
  }),
  { [Symbol.dispose]: () => libc.close() },
);

/** Looks at what is allocated; rubbish is collected before. */
function allocated(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const info = Uint8Array.from(libc.symbols.mallinfo2());
  return Number(new BigUint64Array(info.buffer)[7]) / 1e6;
}

const EARLY = 0.4 * goal;
/** Signatures over which the least allocation is looked for, and between two looks. */
const WINDOW = 200;
const STEP = 10;
const memory = { early: Infinity, late: Infinity, resident: 0 };

function watchMemory(signed: number): void {
  if (signed % STEP !== 0) return;
  if (signed === EARLY) memory.resident = Deno.memoryUsage().rss / 1e6;
  if (signed > EARLY - WINDOW && signed <= EARLY) {
    memory.early = Math.min(memory.early, allocated());
  }
  if (signed > goal - WINDOW) memory.late = Math.min(memory.late, allocated());
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
    repeated,
    resident: [memory.resident, Deno.memoryUsage().rss / 1e6],
    allocated: [memory.early, memory.late],
  } satisfies SigningReport,
));
