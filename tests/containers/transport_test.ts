import { assert } from "@std/assert";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { judge, makeSubjects } from "./container.ts";
import { makeDamagedContainers } from "./transport.ts";

testWith(["binary", "program:openssl"], "containers that transport has damaged", async (t) => {
  using directory = new TemporaryDirectory();
  const containers = await makeDamagedContainers(directory, await makeSubjects(directory));
  assert(containers.length >= 200, `${containers.length}`);
  await judge(t, directory, containers);
});
