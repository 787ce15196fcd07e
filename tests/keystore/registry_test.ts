import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";

import { createRegistry, type KeystoreLoaders } from "../../src/keystore/registry.ts";
import type { Scheme } from "../../src/keystore/uri.ts";
import { FakeKeystore } from "./fake_keystore.ts";

function countingLoaders() {
  const loaded: Scheme[] = [];
  const loader = (scheme: Scheme) => {
    const keystore = new FakeKeystore({});
    return {
      keystore,
      load: () => {
        loaded.push(scheme);
        return Promise.resolve({ keystore });
      },
    };
  };
  const [file, pkcs11, handle, keychain, cng] = [
    loader("file"),
    loader("pkcs11"),
    loader("handle"),
    loader("keychain"),
    loader("cng"),
  ];
  const loaders: KeystoreLoaders = {
    file: file.load,
    pkcs11: pkcs11.load,
    handle: handle.load,
    keychain: keychain.load,
    cng: cng.load,
  };
  return { loaded, loaders, file, handle };
}

Deno.test("createRegistry() loads no keystore before its scheme is asked for", async () => {
  const { loaded, loaders, handle } = countingLoaders();
  const registry = createRegistry(loaders);
  assertEquals(loaded, []);
  assertStrictEquals(await registry("handle"), handle.keystore);
  assertEquals(loaded, ["handle"]);
});

Deno.test("createRegistry() gives the same keystore each time", async () => {
  const { loaders, file } = countingLoaders();
  const registry = createRegistry(loaders);
  assertStrictEquals(await registry("file"), file.keystore);
  assertStrictEquals(await registry("file"), file.keystore);
});

Deno.test("createRegistry() passes on why a keystore cannot be loaded", async () => {
  const { loaders } = countingLoaders();
  const registry = createRegistry({
    ...loaders,
    cng: () => Promise.reject(new TypeError("no such module")),
  });
  await assertRejects(() => registry("cng"), TypeError, "no such module");
});
