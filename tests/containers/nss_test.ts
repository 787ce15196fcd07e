import { assert } from "@std/assert";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { judge, makeSubjects } from "./container.ts";
import { makeNssContainers } from "./nss.ts";

testWith(["binary", "program:openssl", "program:pk12util"], "containers of pk12util", async (t) => {
  using directory = new TemporaryDirectory();
  const containers = await makeNssContainers(directory, await makeSubjects(directory));
  assert(containers.length >= 20, `${containers.length}`);
  await judge(t, directory, containers);
});
