import { assertEquals, assertRejects, assertThrows } from "@std/assert";

import { parseArguments } from "../../src/cli/flags/parse.ts";
import { cacheDirectoryPath, credentialsFilePath } from "../../src/cli/paths.ts";
import { HelperError } from "../../src/errors.ts";
import { FakeSystem, type FakeSystemOptions } from "./fake_system.ts";

async function cacheDirectoryOf(parts: FakeSystemOptions, ...args: string[]): Promise<string> {
  const system = new FakeSystem(parts);
  const request = await parseArguments(
    ["cache", "clear", ...args],
    (name) => system.environment(name),
  );
  if (request.kind !== "run") throw new Error("it asks for help");
  return cacheDirectoryPath(request.values, system);
}

const home = "/home/user";
const named = (path: string) => ({ home, variables: { AWS_SHARED_CREDENTIALS_FILE: path } });

const CREDENTIALS_FILES: [string, FakeSystemOptions][] = [
  ["/home/user/.aws/credentials", { home }],
  ["/home/user/.aws/credentials", named("")],
  ["/etc/aws/my credentials", named("/etc/aws/my credentials")],
  ["relative", named("relative")],
  ["/home/user/aws/c", named("~/aws/c")],
  ["/home/user", named("~")],
  ["~other/c", named("~other/c")],
  ["/c", { variables: { AWS_SHARED_CREDENTIALS_FILE: "/c" } }],
];

for (const [path, parts] of CREDENTIALS_FILES) {
  Deno.test(`credentialsFilePath() is ${path} when the system is ${JSON.stringify(parts)}`, () => {
    assertEquals(credentialsFilePath(new FakeSystem(parts)), path);
  });
}

const CACHES: [string, FakeSystemOptions, ...string[]][] = [
  ["/home/user/.cache/aws_signing_helper", { home }],
  ["/x/aws_signing_helper", { home, variables: { XDG_CACHE_HOME: "/x" } }],
  ["/home/user/.cache/aws_signing_helper", { home, variables: { XDG_CACHE_HOME: "relative" } }],
  ["/home/user/.cache/aws_signing_helper", { home, variables: { XDG_CACHE_HOME: "" } }],
  ["/home/user/Library/Caches/aws_signing_helper", { home, platform: "darwin" }],
  ["/home/user/AppData/Local/aws_signing_helper/Cache", { home, platform: "windows" }],
  [
    "/local/aws_signing_helper/Cache",
    { home, platform: "windows", variables: { LOCALAPPDATA: "/local" } },
  ],
  ["/flag", { variables: { XDG_CACHE_HOME: "/x" } }, "--cache-dir", "/flag"],
  ["/variable", { variables: { AWS_SIGNING_HELPER_CACHE_DIR: "/variable" } }],
];

for (const [path, parts, ...args] of CACHES) {
  Deno.test(`cacheDirectoryPath() is ${path} when given [${args}] and the system is ${JSON.stringify(parts)}`, async () => {
    assertEquals(await cacheDirectoryOf(parts, ...args), path);
  });
}

Deno.test("credentialsFilePath() and cacheDirectoryPath() throw usage when the home directory is unknown", async () => {
  const file = assertThrows(() => credentialsFilePath(new FakeSystem()), HelperError);
  const directory = await assertRejects(() => cacheDirectoryOf({}), HelperError);
  assertEquals([file.code, file.message, directory.code, directory.message], [
    "usage",
    "the home directory is unknown; set HOME or AWS_SHARED_CREDENTIALS_FILE",
    "usage",
    "the home directory is unknown; set HOME or XDG_CACHE_HOME",
  ]);
});

Deno.test("cacheDirectoryPath() ignores an empty --cache-dir", async () => {
  assertEquals(await cacheDirectoryOf({ home }, "--cache-dir="), await cacheDirectoryOf({ home }));
});
