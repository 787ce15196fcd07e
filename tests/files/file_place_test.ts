import { assertEquals, assertThrows } from "@std/assert";

import { FilePlace, UntrustedPathError } from "../../src/files/file_place.ts";
import { testWith } from "../support/needs.ts";
import { modeOf, TemporaryDirectory } from "../support/temporary_directory.ts";

const USER = 65534;

/** Returns the directory and the name that `path` leads to. */
function found(path: string, options = {}): [directory: string, name: string, isForeign: boolean] {
  using place = FilePlace.find(path, options);
  return [place.directory, place.name, place.isForeign];
}

Deno.test("find() follows this user's links, also to nothing, from part to part", () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  Deno.mkdirSync(`${path}/a/b`, { recursive: true });
  Deno.symlinkSync("../../c", `${path}/a/b/link`);
  Deno.symlinkSync(`${path}/a/b`, `${path}/b`);
  assertEquals(found(`${path}/a//./b/../b/file`), [`${path}/a/b`, "file", false]);
  assertEquals(found(`${path}/b/link`), [path, "c", false]);
  assertEquals(found(`${path}/b/link`, { followLast: false }), [`${path}/a/b`, "link", false]);
  assertEquals(found(`${path}/b/../file`), [`${path}/a`, "file", false]);
});

Deno.test("find() throws the system's errors for loops, files on the way and missing directories", () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  Deno.symlinkSync("loop", `${path}/loop`);
  directory.write("file", "");
  const code = (of: string) => Reflect.get(assertThrows(() => FilePlace.find(of)), "code");
  assertEquals(code(`${path}/loop`), "ELOOP");
  assertEquals(code(`${path}/file/x`), "ENOTDIR");
  assertEquals(code(`${path}/none/x`), "ENOENT");
  assertEquals(found(`${path}/made/deep/x`, { makeDirectories: true })[0], `${path}/made/deep`);
  assertEquals(modeOf(`${path}/made`), 0o700);
});

testWith(["linux"], "find() holds a directory that others can exchange, and closes it", () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  Deno.mkdirSync(`${path}/shared/mine`, { recursive: true });
  Deno.chmodSync(`${path}/shared`, 0o777);
  const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = descriptors();
  {
    using place = FilePlace.find(`${path}/shared/mine/file`);
    Deno.renameSync(`${path}/shared/mine`, `${path}/shared/other`);
    Deno.writeTextFileSync(place.path(), "x");
    assertEquals(Deno.readTextFileSync(`${path}/shared/other/file`), "x");
    assertEquals(Deno.statSync(place.directoryPath).isDirectory, true);
  }
  for (const bad of ["/shared/other/file/x", "/shared/none/x"]) {
    assertThrows(() => FilePlace.find(path + bad));
  }
  assertEquals(descriptors(), before);
});

testWith(
  ["linux", "other-user"],
  "find() does not follow links of another user, or links in that user's directories",
  () => {
    using directory = new TemporaryDirectory();
    const { path } = directory;
    Deno.mkdirSync(`${path}/root`);
    Deno.mkdirSync(`${path}/home/sub`, { recursive: true });
    Deno.symlinkSync(`${path}/root`, `${path}/home/roots-link`);
    Deno.symlinkSync("../root/x", `${path}/home/sub/credentials`);
    Deno.chownSync(`${path}/home`, USER, USER);
    for (const part of ["home/roots-link/x", "home/sub/credentials"]) {
      assertThrows(
        () => FilePlace.find(`${path}/${part}`),
        UntrustedPathError,
        "run this as that user",
      );
    }
    assertEquals(found(`${path}/home/sub/file`), [`${path}/home/sub`, "file", true]);
    assertEquals(found(`${path}/home/sub/../../root/file`), [`${path}/root`, "file", true]);
  },
);
