import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { headerValues } from "../emulator/raw_request.ts";
import { runBinary, runProgram } from "../support/binary.ts";
import { ChainScenario, LAST, MIDDLE } from "../support/chain_scenario.ts";
import { MotoServer } from "../support/moto_server.ts";
import { testWith } from "../support/needs.ts";
import { PYTHON } from "../support/tools.ts";

const scriptOf = (name: string) => fileURLToPath(new URL(`python/${name}`, import.meta.url));

// Session names, external IDs, roles and paths of the endpoint with all characters that each may have.
const VECTORS: readonly [
  name: string,
  externalId: string | null,
  roles: string[],
  path?: string,
][] = [
  ["ab", null, [LAST]],
  ["a+b=c,d.e@f-g_h", "+=,.@:/-_", [MIDDLE, LAST]],
  ["==", "a=b&c".replace("&", "/"), [LAST]],
  ["@@--__..", "arn:aws:iam::1:x/y+z", ["arn:aws:iam::333333333333:role/a/+=,.@_-/x+=,.@_-"]],
  ["x".repeat(64), "Z9/".repeat(408), [MIDDLE, LAST, MIDDLE]],
  ["0,0", "--", [LAST], "/prefix"],
  [",.", "::", [LAST], "/a%20b/~c+d/%2Fe:f@g!h'(i)*"],
];

testWith(["python-client"], "credential-process signs AssumeRole as botocore does", async () => {
  await using scenario = await ChainScenario.create();
  for (const [name, externalId, roles, path = ""] of VECTORS) {
    const { code, stderr } = await runBinary([
      "credential-process",
      ...scenario.flags,
      ...roles.flatMap((role) => ["--assume-role-arn", role]),
      `--assume-role-session-name=${name}`,
      ...(externalId === null ? [] : [`--assume-role-external-id=${externalId}`]),
      "--sts-endpoint",
      `${scenario.sts.localhost}${path}`,
    ]);
    assertEquals([code, stderr], [0, ""]);
    const [last] = scenario.sts.issued.slice(-1);
    assertEquals([last?.sessionName, last?.externalId, last?.role], [
      name,
      externalId,
      roles.at(-1),
    ]);
  }
  const known = [...scenario.session.emulator.issued, ...scenario.sts.issued];
  const one = (name: string, request: Parameters<typeof headerValues>[0]) =>
    headerValues(request, name)[0] ?? "";
  const requests = scenario.sts.issued.map(({ request, callerKey }) => {
    const caller = known.find(({ accessKeyId }) => accessKeyId === callerKey);
    assert(caller);
    return {
      method: request.method,
      url: `https://${one("host", request)}${request.url}`,
      body: new TextDecoder().decode(request.body),
      contentType: one("content-type", request),
      time: one("x-amz-date", request),
      region: "us-east-1",
      service: "sts",
      accessKeyId: caller.accessKeyId,
      secretAccessKey: caller.secretAccessKey,
      sessionToken: caller.sessionToken,
    };
  });
  const { code, stdout, stderr } = await runProgram(PYTHON, [scriptOf("judge_signatures.py")], {
    stdin: JSON.stringify(requests),
  });
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    scenario.sts.issued.map(({ request }) => one("authorization", request)),
    JSON.parse(stdout),
  );
  assertEquals(requests.length, VECTORS.flatMap(([, , roles]) => roles).length);
});

/** Runs a chain of moto's roles. moto verifies signature, policy, trust and external ID of hop 2. */
async function runAtMoto(
  change: (roles: readonly string[]) => readonly string[],
  externalId = "id/+=:@",
) {
  await using scenario = await ChainScenario.create();
  await using moto = await MotoServer.start();
  const arns = await moto.createRoles();
  const result = await runBinary([
    "credential-process",
    ...scenario.flags,
    "--sts-endpoint",
    moto.url,
    "--assume-role-session-name=a+b",
    `--assume-role-external-id=${externalId}`,
    "--assume-role-arn",
    ...change([arns.middle, arns.last]),
  ]);
  const caller = result.code === 0 ? await moto.callerArn(JSON.parse(result.stdout)) : undefined;
  return { ...result, arns, caller };
}

testWith(["moto"], "credential-process assumes roles of moto, which verifies hop 2", async () => {
  const { code, stderr, arns, caller } = await runAtMoto((roles) => roles);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    caller,
    `${arns.last.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")}/a+b`,
  );
});

testWith(["moto"], "credential-process reports moto's refusal of hop 2 with its role", async () => {
  for (
    const { code, stdout, stderr, arns, of } of [
      { ...await runAtMoto((roles) => roles.toReversed()), of: "middle" as const },
      { ...await runAtMoto((roles) => roles, "another"), of: "last" as const },
    ]
  ) {
    assertEquals([code, stdout], [4, ""]);
    assertStringIncludes(stderr, `${arns[of]}: AccessDenied: User: `);
    assertStringIncludes(stderr, "is not authorized to perform: sts:AssumeRole");
  }
});
