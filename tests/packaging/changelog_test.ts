import { assertEquals, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";

import {
  changesOf,
  debianItem,
  readChanges,
  releaseNotes,
} from "../../packaging/dist/changelog.ts";

const CHANGELOG = "# Changelog\n\n## 0.2.0\n\n- New.\n- `newer`.\n\n## 0.1.0\n\n- Old.\n\n## 0.1\n";

Deno.test("changesOf() returns the items of one version", () => {
  assertEquals(changesOf(CHANGELOG, "0.2.0"), ["New.", "`newer`."]);
  assertEquals(changesOf(CHANGELOG, "0.1.0"), ["Old."]);
});

Deno.test("changesOf() throws if a version has no section or no items", () => {
  assertThrows(() => changesOf(CHANGELOG, "0.3.0"), Error, "no changes for 0.3.0");
  assertThrows(() => changesOf(CHANGELOG, "0.1"), Error, "no changes for 0.1;");
});

Deno.test("CHANGELOG.md has changes for the version in deno.json", async () => {
  const items = await readChanges(fileURLToPath(new URL("../../", import.meta.url)));
  assertEquals(items.every((item) => item.length > 0), true);
});

Deno.test("releaseNotes() lists the items below the version", () => {
  assertEquals(releaseNotes("p", "1", ["a", "b"]), "# p 1\n\n- a\n- b\n");
});

Deno.test("debianItem() wraps to 80 columns and drops code marks", () => {
  const lines = debianItem("`word` ".repeat(30).trim()).split("\n");
  assertEquals(lines.every((line) => line.length <= 80), true);
  assertEquals(lines.map((line) => line.slice(0, 4)), ["  * ", "    "]);
  assertEquals(lines.join(" ").replace("*", "").trim().split(/ +/), Array(30).fill("word"));
});
