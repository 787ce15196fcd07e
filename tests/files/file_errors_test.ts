import { assertEquals, assertStringIncludes } from "@std/assert";

import { errnoOf } from "../../src/files/errno.ts";
import { fileError } from "../../src/files/file_errors.ts";
import { HelperError } from "../../src/errors.ts";

const systemError = (code: string) => Object.assign(new Error(`${code}: it said so`), { code });

const MESSAGES: Record<string, string> = {
  ENOSPC: "the disk of /d is full; free some space and try again",
  EDQUOT: "the disk quota for /d is used up; free some space and try again",
  EROFS: "/d is on a read-only file system; choose another place",
  EACCES: "this user may not write in /d; change its owner or its permissions",
  EPERM: "this user may not write in /d; change its owner or its permissions",
  EISDIR: "/d/f is a directory; name a file",
  ENOTDIR: "a part of /d is a file, not a directory; check the path",
  ENOENT: "/d does not exist; check the path",
  EBUSY: "/d/f is a mount point, which cannot be replaced; mount its directory",
  ELOOP: "/d/f is a symbolic link that leads back to itself; correct it",
  EIO: "EIO: it said so",
};

for (const [code, message] of Object.entries(MESSAGES)) {
  Deno.test(`fileError() explains ${code}`, () => {
    const cause = systemError(code);
    const error = fileError(cause, "/d/f", "/d");
    assertEquals([error.code, error.cause], ["credentials-file", cause]);
    assertEquals(error.message, `/d/f was not changed: ${message}`);
  });
}

Deno.test("fileError() returns errors of the program unchanged", () => {
  const error = new HelperError("interrupted", "enough");
  assertEquals(fileError(error, "/d/f", "/d"), error);
});

Deno.test("errnoOf() returns the system's names only", () => {
  assertEquals(errnoOf(systemError("ENOSPC")), "ENOSPC");
  assertEquals([errnoOf(new Error("x")), errnoOf("ENOSPC"), errnoOf(undefined)], [
    undefined,
    undefined,
    undefined,
  ]);
  try {
    Deno.readTextFileSync("/nonexistent/file");
  } catch (thrown) {
    assertStringIncludes(errnoOf(thrown) ?? "", "ENOENT");
  }
});
