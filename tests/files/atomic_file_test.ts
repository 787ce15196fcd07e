import { assertEquals, assertThrows } from "@std/assert";

import { removeLeftovers, replaceFile } from "../../src/files/atomic_file.ts";
import { errnoOf } from "../../src/files/errno.ts";
import { testWith } from "../support/needs.ts";
import { modeOf, TemporaryDirectory } from "../support/temporary_directory.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("replaceFile() creates a file of mode 0600 and no other file", () => {
  using directory = new TemporaryDirectory();
  const umask = Deno.umask(0o277);
  try {
    replaceFile(directory.join("file"), bytes("text"));
  } finally {
    Deno.umask(umask);
  }
  assertEquals(Deno.readTextFileSync(directory.join("file")), "text");
  assertEquals([modeOf(directory.join("file")), directory.names()], [0o600, ["file"]]);
});

Deno.test("replaceFile() creates a new file and keeps the old one for programs that have it open", () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("file", "old", 0o644);
  using open = Deno.openSync(path);
  replaceFile(path, bytes("new"));
  assertEquals([Deno.readTextFileSync(path), modeOf(path)], ["new", 0o600]);
  const buffer = new Uint8Array(3);
  open.readSync(buffer);
  assertEquals(new TextDecoder().decode(buffer), "old");
});

Deno.test("replaceFile() writes all of a large file", () => {
  using directory = new TemporaryDirectory();
  const large = new Uint8Array(20_000_000).map((_, i) => i);
  replaceFile(directory.join("file"), large);
  assertEquals(
    Deno.readFileSync(directory.join("file")).every((byte, i) => byte === large[i]),
    true,
  );
});

testWith(["root"], "replaceFile() sets the file's owner", () => {
  using directory = new TemporaryDirectory();
  replaceFile(directory.join("file"), bytes("text"), { uid: 12, gid: 34 });
  const { uid, gid } = Deno.statSync(directory.join("file"));
  assertEquals([uid, gid, modeOf(directory.join("file"))], [12, 34, 0o600]);
});

Deno.test("replaceFile() throws and leaves no file if the path is a directory", () => {
  using directory = new TemporaryDirectory();
  Deno.mkdirSync(directory.join("file"));
  const error = assertThrows(() => replaceFile(directory.join("file"), bytes("text")), Error);
  assertEquals([errnoOf(error), directory.names()], ["EISDIR", ["file"]]);
});

Deno.test("removeLeftovers() removes temporary files of killed writers, and nothing else", () => {
  using directory = new TemporaryDirectory();
  const others = [
    ".file.aws_signing_helper.0123456789abcdef.tmp.bak",
    ".file.aws_signing_helper.0123456789abcde.tmp",
    ".file.aws_signing_helper.lock",
    ".file2.aws_signing_helper.0123456789abcdef.tmp",
    "file",
    "file.aws_signing_helper.0123456789abcdef.tmp",
  ];
  for (const name of others) directory.write(name, "");
  directory.write(".file.aws_signing_helper.0123456789abcdef.tmp", "");
  directory.write(".file.aws_signing_helper.fedcba9876543210.tmp", "");
  Deno.symlinkSync("file", directory.join(".file.aws_signing_helper.0000000000000000.tmp"));
  removeLeftovers(directory.join("file"));
  assertEquals(
    directory.names(),
    [...others, ".file.aws_signing_helper.0000000000000000.tmp"].toSorted(),
  );
});
