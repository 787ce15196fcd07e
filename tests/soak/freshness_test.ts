import { assertEquals } from "@std/assert";

import { testWith } from "../support/needs.ts";
import { findFaults, measureFreshness } from "./freshness.ts";

const CALLS = 3;

testWith(
  ["binary", "python-client", "javascript-client"],
  "clients that call repeatedly sign with valid credentials (make soak: 20 minutes)",
  async () => {
    const runs = await measureFreshness(CALLS, 1);
    assertEquals(findFaults(runs, CALLS), []);
  },
);

Deno.test("findFaults() finds a refusal, missing calls, an exit code, and credentials past their end", () => {
  const fine = {
    client: "boto3",
    way: "metadata",
    code: 0,
    stderr: "",
    verified: CALLS,
    refused: [],
    sessions: 1,
    minRemaining: 1,
  } as const;
  const broken = [
    { ...fine, refused: ["ExpiredToken"] },
    { ...fine, verified: CALLS - 1 },
    { ...fine, code: 1 },
    { ...fine, minRemaining: 0 },
  ];
  assertEquals(findFaults([fine], CALLS), []);
  assertEquals(findFaults(broken, CALLS).length, broken.length);
});
