import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";
import { judge, makeSubjects } from "./container.ts";
import { makeWithProgram } from "./program.ts";

testWith(
  ["binary", "program:openssl", "python-client"],
  "containers of Python's cryptography",
  async (t) => {
    using directory = new TemporaryDirectory();
    const subjects = await makeSubjects(directory, ["rsa-2048", "ec-p256", "ec-p384", "ec-p521"]);
    const script = fileURLToPath(new URL("make_containers.py", import.meta.url));
    const containers = await makeWithProgram(PYTHON, [script], directory, subjects);
    assert(containers.length >= 90, `${containers.length}`);
    await judge(t, directory, containers);
  },
);
