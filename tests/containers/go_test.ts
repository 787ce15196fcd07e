import { assert } from "@std/assert";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { compiledClient } from "../support/tools.ts";
import { judge, makeSubjects } from "./container.ts";
import { makeWithProgram } from "./program.ts";

testWith(
  ["binary", "program:openssl", "go-containers"],
  "containers of Go's packages",
  async (t) => {
    using directory = new TemporaryDirectory();
    const program = `${compiledClient("go_containers").folder}make_containers`;
    const subjects = await makeSubjects(directory);
    const containers = await makeWithProgram(program, [], directory, subjects);
    assert(containers.length >= 50, `${containers.length}`);
    await judge(t, directory, containers);
  },
);
