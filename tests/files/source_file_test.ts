import { assertEquals, assertRejects } from "@std/assert";
import { readSource } from "../../src/files/source_file.ts";
import { SourceError } from "../../src/files/source_error.ts";
import { BlockingFiles } from "../support/blocking_files.ts";
import { testWith } from "../support/needs.ts";

testWith(["fuse-mount"], "readSource() closes a file that opens after the timeout", async () => {
  await using files = await BlockingFiles.mount();
  const path = files.add("key.pem", "contents");
  await files.block("open");
  await assertRejects(() => readSource(path, { maxBytes: 100 }), SourceError, "within 20 s");
  assertEquals(await files.closed(), 0);
  // Only the call that waits is answered: opening the file again would block this process.
  await files.answer();
  const limit = AbortSignal.timeout(30_000);
  while (await files.closed() === 0) {
    limit.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await files.allow();
  assertEquals(new TextDecoder().decode(await readSource(path, { maxBytes: 100 })), "contents");
});
