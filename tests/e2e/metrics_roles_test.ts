/** `serve --metrics --roles`: a series for each role that is served now. */
import { assert, assertEquals } from "@std/assert";

import { roleOf, RolesServe, writeRoles } from "../support/roles_scenario.ts";
import { SessionScenario } from "../support/session_scenario.ts";

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
