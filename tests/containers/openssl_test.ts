import { assert } from "@std/assert";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { judge, makeSubjects } from "./container.ts";
import { makeOpensslContainers } from "./openssl.ts";

testWith(["binary", "program:openssl"], "containers of openssl", async (t) => {
  using directory = new TemporaryDirectory();
  const containers = await makeOpensslContainers(directory, await makeSubjects(directory));
  assert(containers.length >= 140, `${containers.length}`);
  await judge(t, directory, containers);
});
