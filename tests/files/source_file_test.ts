import { assertEquals, assertRejects } from "@std/assert";
import { readSource, SourceError } from "../../src/files/source_file.ts";
import { BlockingFiles } from "../support/blocking_files.ts";
import { testWith } from "../support/needs.ts";

/** Returns the number of descriptors of this process that lead to `path`. */
function descriptorsOf(path: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

testWith(["fuse-mount"], "readSource() closes a file that opens after the timeout", async () => {
  await using files = await BlockingFiles.mount();
  const path = files.add("key.pem", "contents");
  await files.block("open");
  await assertRejects(() => readSource(path, { maxBytes: 100 }), SourceError, "within 20 s");
  await files.allow();
  // A call that waits for the late one ends after it.
  assertEquals(new TextDecoder().decode(await readSource(path, { maxBytes: 100 })), "contents");
  await new Promise((resolve) => setTimeout(resolve, 500));
  assertEquals(descriptorsOf(path), 0);
});
