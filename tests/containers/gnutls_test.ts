import { assert } from "@std/assert";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { judge, makeSubjects } from "./container.ts";
import { makeGnutlsContainers } from "./gnutls.ts";

testWith(["binary", "program:openssl", "program:certtool"], "containers of certtool", async (t) => {
  using directory = new TemporaryDirectory();
  const containers = await makeGnutlsContainers(directory, await makeSubjects(directory));
  assert(containers.length >= 32, `${containers.length}`);
  await judge(t, directory, containers);
});
