/** `serve --roles` with `assumeRoleArn`: each role has a chain of its own. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { ChainScenario, LAST, MIDDLE } from "../support/chain_scenario.ts";
import {
  flagsWithoutRole,
  type Role,
  roleArn,
  roleOf,
  RolesServe,
  writeRoles,
} from "../support/roles_scenario.ts";

/** Documents of the container endpoint, by role. */
async function documentsOf(
  scenario: ChainScenario,
  serve: RolesServe,
  names: readonly string[],
): Promise<Record<string, { RoleArn: string; AccessKeyId: string } | string>> {
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => {
      const authorization = Deno.readTextFileSync(tokenFile(scenario, name));
      const response = await fetch(`${serve.url}/role/${name}`, { headers: { authorization } });
      const document = response.ok ? await response.json() : `${response.status}`;
      await response.body?.cancel().catch(() => {});
      return [name, document];
    })),
  );
}

function tokenFile({ session }: ChainScenario, name: string): string {
  return session.directory.join(`token-${name}`);
}

function roleWithToken(scenario: ChainScenario, name: string, more = {}): Role {
  return roleOf(name, { tokenFile: tokenFile(scenario, name), ...more });
}

Deno.test("each role of --roles has its own chain, by default the flags', and a refused one does not affect others", async () => {
  await using scenario = await ChainScenario.create();
  const { sts } = scenario;
  const file = scenario.session.directory.join("roles.json");
  const role = (name: string, more = {}) => roleWithToken(scenario, name, more);
  await using serve = await RolesServe.start(
    scenario,
    file,
    [
      role("flags"),
      role("both", { assumeRoleArn: [MIDDLE, LAST] }),
      role("one", { assumeRoleArn: LAST, roleSessionName: "one-session" }),
    ],
    { flags: ["--assume-role-arn", MIDDLE, "--assume-role-duration=900"] },
  );
  const names = ["flags", "both", "one"];
  const documents = await documentsOf(scenario, serve, names);
  const arns = names.map((name) => Object(documents[name]).RoleArn);
  assertEquals(arns, [MIDDLE, LAST, LAST]);
  // STS issued each; the first calls were made with the sessions of the roles' own roleArn.
  for (const name of names) {
    const issued = sts.issued.find(({ accessKeyId }) =>
      accessKeyId === Object(documents[name]).AccessKeyId
    );
    assert(issued, name);
    assertEquals(issued.durationSeconds, 900);
    const ofMiddle = sts.issued.find(({ accessKeyId }) => accessKeyId === issued.callerKey);
    const first = ofMiddle ?? issued;
    const { emulator } = scenario.session;
    const caller = emulator.sessions.find(({ credentials }) =>
      credentials.accessKeyId === first.callerKey
    );
    assertEquals([name, caller?.roleArn], [name, roleArn(name)]);
    assertEquals([name, ofMiddle !== undefined], [name, name === "both"]);
  }

  // A chain that is refused leaves the other roles as they are.
  sts.fail(MIDDLE, "access-denied");
  writeRoles(file, [
    role("both", { assumeRoleArn: [MIDDLE] }),
    role("one", { assumeRoleArn: LAST }),
  ]);
  const from = serve.binary.lines.length;
  await serve.reload();
  const line = await serve.binary.waitForLine(/refresh failed/, from);
  assertMatch(line, /role "both"|both: /);
  assertStringIncludes(line, `${MIDDLE}: AccessDenied`);
  const after = await documentsOf(scenario, serve, ["both", "one"]);
  assertEquals(Object(after["one"]).RoleArn, LAST);
  const { roles } = await (await fetch(`${serve.url}/healthz`)).json();
  assertStringIncludes(JSON.stringify(roles), "service-refused");
});

for (
  const [what, assumeRoleArn, message] of [
    ["not an ARN", "Last", /roles\.json: role "a": assumeRoleArn/],
    ["of another partition", "arn:aws-cn:iam::333333333333:role/Last", /assumeRoleArn/],
    [
      "one of nine",
      Array.from({ length: 9 }, () => LAST),
      /assumeRoleArn: 9 roles; assume at most 8/,
    ],
    ["not text", [5], /assumeRoleArn/],
  ] as const
) {
  Deno.test(`serve ends with 2 and names file, role and key if assumeRoleArn is ${what}`, async () => {
    await using scenario = await ChainScenario.create();
    const file = scenario.session.directory.join("roles.json");
    writeRoles(file, [roleOf("a", { assumeRoleArn })]);
    const { code, stdout, stderr } = await runBinary([
      ...["serve", ...flagsWithoutRole(scenario), "--roles", file, "--port=0"],
    ]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^aws_signing_helper: [^\n]+\n$/);
    assertMatch(stderr, message);
    assertEquals(scenario.session.emulator.issued.length, 0);
  });
}

Deno.test("--assume-role-external-id without --assume-role-arn is for the chains of --roles", async () => {
  await using scenario = await ChainScenario.create({ [LAST]: "external" });
  const file = scenario.session.directory.join("roles.json");
  await using serve = await RolesServe.start(
    scenario,
    file,
    [roleWithToken(scenario, "a", { assumeRoleArn: LAST }), roleWithToken(scenario, "b")],
    { flags: ["--assume-role-external-id", "external"] },
  );
  const { a, b } = await documentsOf(scenario, serve, ["a", "b"]);
  assertEquals([Object(a).RoleArn, Object(b).RoleArn], [LAST, roleArn("b")]);
});
