import { assertEquals, assertThrows } from "@std/assert";

import {
  clearDirectory,
  directoryFault,
  sweepDirectory,
} from "../../src/credentials/cache/cache_directory.ts";
import { HelperError } from "../../src/errors.ts";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const KEY = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);

Deno.test("directoryFault() finds none in a directory of mode 0700, and in a missing one", () => {
  using directory = new TemporaryDirectory();
  assertEquals(directoryFault(directory.path), undefined);
  assertEquals(directoryFault(directory.join("not", "yet")), undefined);
});

Deno.test("directoryFault() returns why a directory must not be used", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("cache");
  Deno.mkdirSync(path, { mode: 0o700 });
  Deno.symlinkSync("cache", directory.join("link"));
  assertEquals(directoryFault(directory.join("link")), "is a symbolic link");
  assertEquals(directoryFault(directory.write("file", "")), "is not a directory");
  Deno.chmodSync(path, 0o750);
  assertEquals(directoryFault(path), "is open to others (mode 750); run chmod 700");
});

testWith(["root"], "directoryFault() detects a directory of another user", () => {
  using directory = new TemporaryDirectory();
  Deno.chownSync(directory.path, 12, 34);
  assertEquals(directoryFault(directory.path), "belongs to another user");
  Deno.chownSync(directory.path, 0, 0);
});

Deno.test("sweepDirectory() removes stale files, and nothing else", () => {
  using directory = new TemporaryDirectory();
  const now = new Date("2026-01-02T00:00:00Z");
  const hours = (count: number) => new Date(now.getTime() - count * 3_600_000);
  const ages: [string, number][] = [
    [`${KEY}.json`, 12.5],
    [`${OTHER}.json`, 14],
    [`.${KEY}.json.aws_signing_helper.lock`, 0.5],
    [`.${OTHER}.json.aws_signing_helper.lock`, 2],
    [`.${KEY}.json.aws_signing_helper.0123456789abcdef.tmp`, 2],
    ["notes.json", 1000],
    [`${KEY}.json.bak`, 1000],
  ];
  for (const [name, age] of ages) Deno.utimeSync(directory.write(name, ""), hours(age), hours(age));
  sweepDirectory(directory.path, now);
  assertEquals(
    directory.names(),
    [
      `${KEY}.json`,
      `.${KEY}.json.aws_signing_helper.lock`,
      "notes.json",
      `${KEY}.json.bak`,
    ].toSorted(),
  );
});

Deno.test("clearDirectory() removes every session and its other files, and returns their number", () => {
  using directory = new TemporaryDirectory();
  const target = directory.write("target", "text");
  Deno.symlinkSync("target", directory.join(`${OTHER}.json`));
  directory.write(`${KEY}.json`, "");
  directory.write(`.${KEY}.json.aws_signing_helper.lock`, "");
  directory.write(`.${KEY}.json.aws_signing_helper.0123456789abcdef.tmp`, "");
  assertEquals(clearDirectory(directory.path), 2);
  assertEquals([directory.names(), Deno.readTextFileSync(target)], [["target"], "text"]);
  assertEquals(clearDirectory(directory.path), 0);
});

Deno.test("clearDirectory() returns 0 if the directory does not exist", () => {
  using directory = new TemporaryDirectory();
  assertEquals(clearDirectory(directory.join("none")), 0);
});

Deno.test("clearDirectory() throws session-cache and follows no link", () => {
  using directory = new TemporaryDirectory();
  directory.write(`real/${KEY}.json`, "");
  Deno.symlinkSync("real", directory.join("link"));
  for (
    const [path, what] of [["link", "a symbolic link"], [`real/${KEY}.json`, "a file"]] as const
  ) {
    const error = assertThrows(() => clearDirectory(directory.join(path)), HelperError, what);
    assertEquals([error.code, error.exitCode], ["session-cache", 1]);
  }
  assertEquals([...Deno.readDirSync(directory.join("real"))].length, 1);
});
