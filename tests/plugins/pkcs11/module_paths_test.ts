import { assertEquals, assertNotEquals } from "@std/assert";
import {
  type HostInfo,
  isDefaultPath,
  listModuleCandidates,
  listPaths,
} from "../../../plugins/pkcs11/module/paths.ts";
import { type Script, scriptedContext } from "../../support/scripted_context.ts";
import { parseUri } from "./keystore_context.ts";

const LINUX: HostInfo = {
  platform: "linux",
  architecture: "x86_64",
  isDirectory: (path) => path === "/opt/modules",
};
const candidates = (uri: string, options: Script = {}, host = LINUX) =>
  listModuleCandidates(parseUri(uri), scriptedContext(options), host);
const paths = (uri: string, options: Script = {}, host = LINUX) =>
  listPaths(candidates(uri, options, host));

Deno.test("listModuleCandidates() uses flag, then URI, then PKCS11_MODULE_PATH, then default paths", () => {
  const [uri, flag, variable] = ["pkcs11:?module-path=/uri.so", "/flag.so", "/variable.so"];
  const defaults = { "pkcs11-lib": variable };
  assertEquals(paths(uri, { settings: { "pkcs11-lib": flag }, defaults }), [flag]);
  assertEquals(paths(uri, { defaults }), ["/uri.so"]);
  assertEquals(paths("pkcs11:", { defaults }), [variable]);
  assertEquals(candidates("pkcs11:", { defaults }).namedBy, "PKCS11_MODULE_PATH");
  assertNotEquals(paths("pkcs11:"), []);
  assertEquals(candidates("pkcs11:").namedBy, undefined);
});

Deno.test("listModuleCandidates() finds a module-name with or without lib, in any case", () => {
  const found = paths("pkcs11:?module-name=SoftHSM2");
  for (const path of ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/SoftHSM2.so"]) {
    assertEquals(found.includes(path), true, path);
  }
  assertEquals(paths("pkcs11:?module-name=a&module-path=/opt/modules"), [
    "/opt/modules/a.so",
    "/opt/modules/liba.so",
  ]);
  assertEquals(paths("pkcs11:?module-name=a&module-path=/opt/a.so"), ["/opt/a.so"]);
});

Deno.test("listModuleCandidates() searches p11-kit's proxy first, in the default paths of each platform", () => {
  const linux = paths("pkcs11:");
  assertEquals(linux[0], "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so");
  const before = (path: string, later: string) =>
    assertEquals(linux.includes(path) && linux.indexOf(path) < linux.indexOf(later), true, path);
  before("/usr/lib64/p11-kit-proxy.so", "/usr/lib64/pkcs11/opensc-pkcs11.so");
  before("/usr/lib/p11-kit-proxy.so", "/usr/lib64/pkcs11/opensc-pkcs11.so");
  before("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "/usr/lib/x86_64-linux-gnu/libykcs11.so");
  before("/usr/lib/x86_64-linux-gnu/libykcs11.so.2", "/usr/lib/softhsm/libsofthsm2.so");

  const mac = paths("pkcs11:", {}, { ...LINUX, platform: "darwin" });
  assertEquals(mac[0], "/opt/homebrew/lib/p11-kit-proxy.dylib");
  for (
    const path of [
      "/usr/local/lib/p11-kit-proxy.dylib",
      "/Library/OpenSC/lib/opensc-pkcs11.so",
      "/usr/local/lib/libykcs11.dylib",
      "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ]
  ) assertEquals(mac.includes(path), true, path);

  const windows = paths("pkcs11:", { environment: { ProgramFiles: "D:\\Programs" } }, {
    ...LINUX,
    platform: "windows",
  });
  for (
    const path of [
      "D:\\Programs\\OpenSC Project\\OpenSC\\pkcs11\\opensc-pkcs11.dll",
      "D:\\Programs\\Yubico\\Yubico PIV Tool\\bin\\libykcs11.dll",
      "C:\\SoftHSM2\\lib\\softhsm2-x64.dll",
    ]
  ) assertEquals(windows.includes(path), true, path);
});

Deno.test("isDefaultPath() returns true for the modules that are searched by default", () => {
  const context = scriptedContext();
  assertEquals(isDefaultPath("/usr/lib/softhsm/libsofthsm2.so", context, LINUX), true);
  assertEquals(isDefaultPath("/usr/lib/libvendor.so", context, LINUX), false);
  assertEquals(isDefaultPath("/tmp/libsofthsm2.so", context, LINUX), false);
});
