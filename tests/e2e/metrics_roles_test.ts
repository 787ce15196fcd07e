/** `serve --metrics --roles`: a series for each role that is served now. */
import { assert, assertEquals } from "@std/assert";

import { roleOf, RolesServe, writeRoles } from "../support/roles_scenario.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";

Deno.test("/metrics has each role of --roles, and none that was removed", async () => {
  await using scenario = await SessionScenario.create();
  const file = scenario.directory.join("roles.json");
  await using serve = await RolesServe.start(scenario, file, [roleOf("a"), roleOf("b")], {
    flags: ["--metrics"],
  });
  const rolesOf = async () => {
    const page = await (await fetch(`${serve.url}/metrics`)).text();
    return [
      ...page.matchAll(/^aws_signing_helper_session_refreshes_total\{result="success",(.*)$/gm),
    ].map(([, rest]) => rest);
  };
  assertEquals(await rolesOf(), ['role="a"} 1', 'role="b"} 1']);
  writeRoles(file, [roleOf("b"), roleOf("c")]);
  assert((await serve.reload()).includes("read again"));
  assertEquals(await rolesOf(), ['role="b"} 1', 'role="c"} 1']);
});

Deno.test("/metrics has no expiration of a session that a change of the role ended", async () => {
  await using scenario = await SessionScenario.create();
  const refused = ARNS.profile.replace("demo", "refused");
  scenario.emulator.refusedProfiles.add(refused);
  const file = scenario.directory.join("roles.json");
  const roles = (more = {}) => [roleOf("a"), roleOf("b", more)];
  const tokenFile = scenario.directory.join("token");
  await using serve = await RolesServe.start(scenario, file, roles(), { flags: ["--metrics"] });
  const read = async (name: string): Promise<number> => {
    const page = await (await fetch(`${serve.url}/metrics`)).text();
    const line = new RegExp(`^aws_signing_helper_session_${name}\\{(.*,)?role="b"\\} (.*)$`, "m");
    return Number(line.exec(page)?.[2]);
  };
  assert(await read("expiration_timestamp_seconds") > Date.now() / 1000);
  writeRoles(file, roles({ profileArn: refused, tokenFile }));
  assert((await serve.reload()).includes("changed b"));
  assertEquals(await read("expiration_timestamp_seconds"), 0);
  assertEquals(await read("failed_refreshes"), 1);
  // The role works again, and counters did not go back.
  writeRoles(file, roles());
  assert((await serve.reload()).includes("changed b"));
  assert(await read("expiration_timestamp_seconds") > Date.now() / 1000);
  assertEquals(await read("refreshes_total"), 2);
});
