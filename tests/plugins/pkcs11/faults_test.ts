import {
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { fileURLToPath } from "node:url";
import type { FunctionName } from "../../../plugins/pkcs11/cryptoki/ffi.ts";
import { TIMEOUTS, type Timeouts } from "../../../plugins/pkcs11/cryptoki/timeouts.ts";
import { HelperError } from "../../../src/errors.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { PIN, SoftHsm } from "../../support/soft_hsm.ts";
import { createKeystore, loadedKeystore, moduleContext, parseUri } from "./keystore_context.ts";
import { wrap, WRAPPERS } from "./wrapper.ts";

const hsm = new SoftHsm();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());
const token = await hsm.token("frail");
const authority = await createAuthority(hsm.directory, { subject: "/CN=Authority" });
const { keyPath, certificatePath } = await issueCertificate(authority, { subject: "/CN=machine" });
await token.importKey(keyPath, { id: "01", label: "key" });
await token.importCertificate(certificatePath, { id: "01", label: "key" });

const MESSAGE = new TextEncoder().encode("message");
/** URI that requires every call. */
const EVERYTHING = parseUri(
  `pkcs11:token=frail;object=key;library-manufacturer=SoftHSM;slot-manufacturer=SoftHSM%20project?pin-value=${PIN}`,
);

/** Repeats `action` while a call hangs: on a busy machine longer than its wrapper waits. */
async function untilNotBusy(action: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + 2 * LONG;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, SHORT));
    try {
      await action();
      return;
    } catch (thrown) {
      const isBusy = thrown instanceof HelperError && thrown.message.includes("still busy with");
      if (!isBusy || performance.now() > end) throw thrown;
    }
  }
}

/**
 * Checks that `action` fails because a call hangs. On a machine that pauses the call has returned; it then
 * hangs once more.
 */
async function assertBusy(action: () => Promise<unknown>, call: string): Promise<void> {
  const messages: string[] = [];
  while (messages.length < 10) {
    const thrown = await action().then(() => undefined, (thrown) => thrown);
    messages.push(thrown instanceof Error ? thrown.message : "no error");
    if (messages.at(-1)?.includes(`still busy with ${call}`)) return;
  }
  throw new Error(`never busy with ${call}: ${messages.join("; ")}`);
}

/** Calls that a signature does not need: their errors are logged with --debug only. */
const DISPENSABLE: readonly FunctionName[] = ["C_GetMechanismList", "C_CloseSession", "C_Finalize"];
const CALLS = Object.keys(TIMEOUTS).filter((name): name is FunctionName => name !== "load");

/** A timeout that only a hanging call reaches, and a short one, milliseconds. */
const [LONG, SHORT] = [10_000, 150];

for (const variant of WRAPPERS) {
  const { name, module, layout } = variant;
  const keystore = await loadedKeystore(variant, hsm);
  const sign = async (used = keystore) => {
    const context = moduleContext(module);
    const signer = await used.openKey(EVERYTHING, context);
    try {
      await signer.sign(MESSAGE, "SHA-256");
    } finally {
      await signer[Symbol.asyncDispose]();
    }
    return context;
  };

  for (const call of CALLS) {
    // 0x30: CKR_DEVICE_ERROR
    Deno.test(`${name}: a failing ${call} is named, with its return value`, async () => {
      using wrapped = wrap(hsm, { FAIL: `${call}=0x30` });
      const message = `${call} failed with CKR_DEVICE_ERROR (0x30)`;
      if (DISPENSABLE.includes(call)) {
        const { debugMessages } = await sign();
        if (call !== "C_GetMechanismList") assertStringIncludes(debugMessages.join("\n"), message);
        assertEquals(wrapped.count("C_Sign"), 1);
      } else {
        const used = call === "C_GetFunctionList" ? createKeystore(layout) : keystore;
        const error = await assertRejects(() => sign(used), HelperError, message);
        assertEquals(error.message.includes(PIN), false);
        assertEquals(wrapped.count("C_Initialize"), call === "C_GetFunctionList" ? 0 : 1);
        assertEquals(
          wrapped.count("C_OpenSession"),
          Math.max(wrapped.count("C_CloseSession"), call === "C_OpenSession" ? 1 : 0),
        );
      }
      wrapped.set({ FAIL: "" });
      await sign(); // no state is left
    });
  }

  Deno.test(`${name}: the tests above let every call in use fail`, async () => {
    using wrapped = wrap(hsm);
    await sign();
    const made = new Set(wrapped.calls().map((line) => line.split(" ")[0] ?? ""));
    assertEquals([...made, "C_GetFunctionList"].toSorted(), CALLS.toSorted());
  });

  Deno.test(`${name}: a return value without a name is shown as its number`, async () => {
    using _ = wrap(hsm, { FAIL: "C_Sign=0x80000042" });
    await assertRejects(
      () => sign(),
      HelperError,
      "C_Sign failed with a vendor-specific error (0x80000042)",
    );
  });

  for (const call of CALLS) {
    const limits: Partial<Timeouts> = {
      ...Object.fromEntries(CALLS.map((other) => [other, LONG])),
      [call]: SHORT,
    };
    const loaded = call === "C_GetFunctionList"
      ? createKeystore(layout, limits)
      : await loadedKeystore(variant, hsm, limits);
    Deno.test({
      name: `${name}: a hanging ${call} is named, and the module used again when it has returned`,
      // A library in which a call hangs cannot be unloaded.
      sanitizeResources: call !== "C_GetFunctionList",
      fn: async () => {
        using wrapped = wrap(hsm, { HANG: `${call}=${3 * SHORT}` });
        const message = `${call} has not returned within 0.15 s`;
        if (call === "C_CloseSession" || call === "C_Finalize") {
          assertStringIncludes((await sign(loaded)).debugMessages.join("\n"), message);
        } else {
          await assertRejects(() => sign(loaded), HelperError, message);
        }
        if (call !== "C_GetFunctionList") {
          await assertBusy(() => sign(loaded), call);
        }
        wrapped.set({ HANG: "" });
        await untilNotBusy(() => sign(loaded));
        const opened = wrapped.count("C_Initialize");
        assertEquals(wrapped.count("C_Finalize"), opened);
      },
    });
  }

  Deno.test(`${name}: a module that is already initialised is used and not finalised`, async () => {
    using wrapped = wrap(hsm, { INITIALIZED: "1" });
    await sign();
    assertEquals([wrapped.count("C_Sign"), wrapped.count("C_Finalize")], [1, 0]);
    assertEquals(wrapped.count("C_OpenSession"), wrapped.count("C_CloseSession"));
  });

  Deno.test(`${name}: a removed token is found again when it is back`, async () => {
    const there = hsm.directory.write(`there-${crypto.randomUUID()}`, "");
    using _ = wrap(hsm, { TOKEN: there });
    await sign();
    const open = await keystore.openKey(EVERYTHING, moduleContext(module));
    Deno.removeSync(there);
    const error = await assertRejects(
      () => open.sign(MESSAGE, "SHA-256"),
      HelperError,
      "CKR_TOKEN_NOT_PRESENT",
    );
    assertStringIncludes(error.message, "insert it");
    await open[Symbol.asyncDispose]();
    await assertRejects(() => sign(), HelperError, "no token matches");
    Deno.writeTextFileSync(there, "");
    await sign();
  });

  Deno.test(`${name}: signers that are open at once do not disturb each other`, async () => {
    using wrapped = wrap(hsm);
    const signers = await Promise.all(
      Array.from({ length: 4 }, () => keystore.openKey(EVERYTHING, moduleContext(module))),
    );
    const signatures = await Promise.all(signers.map((signer) => signer.sign(MESSAGE, "SHA-256")));
    assertEquals(signatures.every((signature) => signature.length > 60), true);
    await Promise.all(signers.map((signer) => signer[Symbol.asyncDispose]()));
    assertEquals(wrapped.count("C_OpenSession"), wrapped.count("C_CloseSession"));
    assertEquals([wrapped.count("C_Initialize"), wrapped.count("C_Finalize")], [1, 1]);
  });
}

const [natural] = WRAPPERS;
if (!natural) throw new Error("no wrapper");
const keystore = await loadedKeystore(natural, hsm);
const context = () => moduleContext(natural.module);

Deno.test("other requests get a response while a token takes five seconds to sign", async () => {
  using _ = wrap(hsm, { HANG: "C_Sign=5000" });
  await using signer = await keystore.openKey(EVERYTHING, context());
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("yes"),
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const request = async () => {
    const started = performance.now();
    await (await fetch(url)).text();
    return performance.now() - started;
  };
  await request(); // the first request takes longer
  let isSigned = false;
  const signature = signer.sign(MESSAGE, "SHA-256").then(() => isSigned = true);
  const times: number[] = [];
  while (!isSigned) {
    times.push(await request());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await signature;
  const sorted = times.toSorted((a, b) => a - b);
  assertGreater(times.length, 10);
  assertLess(sorted[Math.floor(times.length / 2)] ?? Infinity, 200);
  // One that waits for the token would take five seconds; a busy machine may delay a few.
  assertLess(sorted.at(-1) ?? Infinity, 4000);
});

Deno.test("a thousand signatures leave no session open and memory flat", async () => {
  using wrapped = wrap(hsm);
  const script = fileURLToPath(new URL("signatures_process.ts", import.meta.url));
  const uri = `pkcs11:token=frail;object=key?pin-value=${PIN}`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // deno-fmt-ignore
    args: [
      "run", "--quiet", "--cached-only", "--allow-all", "--no-check", "--v8-flags=--expose-gc",
      script, natural.module, uri, "300", "700",
    ],
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  const [before, after] = JSON.parse(new TextDecoder().decode(stdout));
  assertLess(after.runtime - before.runtime, 1_500_000);
  // Allocators take memory in steps and keep it; a leak in native code is larger.
  assertLess(after.resident - before.resident, 50_000_000);
  const pairs = { C_OpenSession: "C_CloseSession", C_Initialize: "C_Finalize" };
  for (const [begin, end] of Object.entries(pairs)) {
    assertEquals([wrapped.count(begin), wrapped.count(end)], [1000, 1000]);
  }
  assertEquals(wrapped.count("C_Sign"), 1000);
});
