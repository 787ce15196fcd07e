import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";

import { createRegistry, type KeystoreLoaders } from "../../src/keystore/registry.ts";
import { type Scheme, SCHEMES } from "../../src/keystore/uri.ts";
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
  const [file, handle] = [loader("file"), loader("handle")];
  const unused = Object.keys(SCHEMES).map((scheme) => [scheme, file.load]);
  const loaders: KeystoreLoaders = {
    ...Object.fromEntries(unused) as KeystoreLoaders,
    file: file.load,
    handle: handle.load,
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

Deno.test("createRegistry() returns the same keystore each time", async () => {
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
