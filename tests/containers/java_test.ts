import { assert } from "@std/assert";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { compiledClient } from "../support/tools.ts";
import { type Container, judge, makeSubjects, PASSWORD } from "./container.ts";
import { makeWithProgram } from "./program.ts";

type Expected = Pick<Container, "refused" | "conversion">;

/** Refused files, by the end of their names. `keytool` asks for the new password twice, then the old one. */
const REFUSED: Readonly<Record<string, Expected>> = {
  "PBEWithSHA1AndRC4_128": {
    refused: /it uses PBE-SHA1-RC4-128, which is not supported/,
    conversion: [PASSWORD, PASSWORD, PASSWORD],
  },
  "AES128-GCM": { refused: /it uses AES-\d{3}-GCM, which is not supported; export it again/ },
  // The JDK's key leaves it to the algorithm to name the curve, which this format does not have.
  ...Object.fromEntries(["DES-EDE3-CBC", "AES-128-CBC", "AES-256-CBC"].map((cipher) => [
    `ec-p256 BC PEM ${cipher}`,
    { refused: /an EC key that does not name its curve/ },
  ])),
  "JDK JKS": {
    refused: /it is a Java keystore \(JKS\)/,
    conversion: [PASSWORD, PASSWORD, PASSWORD],
  },
  "JDK JCEKS": {
    refused: /it is a Java keystore \(JCEKS\)/,
    conversion: [PASSWORD, PASSWORD, PASSWORD],
  },
  "two passwords": {
    refused: /its key has another password than the file/,
    conversion: [PASSWORD, PASSWORD, PASSWORD, "other"],
  },
};

testWith(
  ["binary", "program:openssl", "java-containers"],
  "containers of Java's keystores and Bouncy Castle",
  async (t) => {
    using directory = new TemporaryDirectory();
    const { folder } = compiledClient("java_containers");
    const classPath = `${folder}lib:${folder}lib/*`;
    const containers = await makeWithProgram(
      "java",
      ["-XX:TieredStopAtLevel=1", "-cp", classPath, "MakeContainers"],
      directory,
      await makeSubjects(directory),
    );
    assert(containers.length >= 70, `${containers.length}`);
    await judge(
      t,
      directory,
      containers.map((container) => ({
        ...container,
        ...Object.entries(REFUSED).find(([end]) => container.name.endsWith(end))?.[1],
      })),
    );
  },
);
