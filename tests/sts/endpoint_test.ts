import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

import { resolveEndpoint } from "../../src/rolesanywhere/endpoint.ts";
import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { PYTHON } from "../support/tools.ts";

const SCRIPT = fileURLToPath(
  new URL("../clients/python/resolve_endpoints.py", import.meta.url),
);

/** A region of each partition, and an unknown one. */
const REGIONS = ["us-east-1", "mx-central-1", "xx-new-9", "cn-north-1", "us-gov-west-1"]
  .concat(["us-gov-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1"])
  .concat(["us-isof-south-1", "eusc-de-east-1"]);

for (const service of ["sts", "rolesanywhere"] as const) {
  testWith(["python-client"], `resolveEndpoint() agrees with botocore for ${service}`, async () => {
    const { code, stdout, stderr } = await runProgram(PYTHON, [SCRIPT, service, ...REGIONS]);
    assertEquals([code, stderr], [0, ""]);
    const cases: { region: string; useFips: boolean; useDualStack: boolean; url: string }[] = JSON
      .parse(stdout);
    assertEquals(cases.length, REGIONS.length * 4);
    assertEquals(
      cases.map(({ url: _url, ...choice }) => resolveEndpoint({ service, ...choice }).origin),
      cases.map(({ url }) => url),
    );
  });
}
