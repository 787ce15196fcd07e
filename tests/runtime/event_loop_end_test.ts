import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Runs `sign-string` with a key, after a script. */
async function signAfter(script: string) {
  using directory = new TemporaryDirectory();
  const preload = directory.write("preload.js", script);
  const options = ["--quiet", "--cached-only", "--no-check", "-A", "--preload", preload];
  return await runProgram(
    Deno.execPath(),
    ["run", ...options, MAIN, "sign-string", "--private-key", directory.join("none.pem")],
    { env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "", HOME: directory.path } },
  );
}

Deno.test("the program ends with code 1 if it waits for what cannot happen", async () => {
  const { code, stdout, stderr } = await signAfter("Deno.stat = () => new Promise(() => {});");
  assertEquals([code, stdout], [1, ""]);
  assertEquals(
    stderr,
    "aws_signing_helper: the program waits for nothing; please report it with the command that was run\n",
  );
});

Deno.test("the program ends with its own code otherwise", async () => {
  assertEquals((await signAfter("")).code, 3);
});
