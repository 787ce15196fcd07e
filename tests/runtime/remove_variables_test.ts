import { assertEquals } from "@std/assert";
import { REMOVED_PREFIXES } from "../../src/runtime/remove_variables.ts";
import { REMOVED_VARIABLES, RUNTIME_VARIABLES } from "../../src/runtime/variables.ts";

/** Removes these variables in another process; returns the removed and the remaining ones. */
async function removeIn(
  variables: Readonly<Record<string, string>>,
): Promise<{ removed: Record<string, string>; left: Record<string, string> }> {
  const module = import.meta.resolve("../../src/runtime/remove_variables.ts");
  // Set in the process: the test's own Deno would follow some of them before the first line.
  const program = `
    const { removeRuntimeVariables } = await import(${JSON.stringify(module)});
    for (const name of Object.keys(Deno.env.toObject())) Deno.env.delete(name);
    for (const [name, value] of Object.entries(${JSON.stringify(variables)})) {
      Deno.env.set(name, value);
    }
    const removed = Object.fromEntries(removeRuntimeVariables(${
    JSON.stringify(REMOVED_VARIABLES)
  }));
    const again = Object.fromEntries(removeRuntimeVariables(${JSON.stringify(REMOVED_VARIABLES)}));
    console.log(JSON.stringify({ removed, again, left: Deno.env.toObject() }));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", program],
    stderr: "inherit",
  }).output();
  const { removed, again, left } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(again, removed);
  return { removed, left };
}

Deno.test("removeRuntimeVariables() removes every variable that is not kept, and returns it", async () => {
  const given = Object.fromEntries(Object.keys(RUNTIME_VARIABLES).map((name) => [name, "1"]));
  const { removed, left } = await removeIn(given);
  for (const [name, { handling, reader }] of Object.entries(RUNTIME_VARIABLES)) {
    // Libraries and child processes follow the locale and TMPDIR.
    const isKept = handling === "kept" || reader !== undefined;
    const isSystemStore = name === "DENO_TLS_CA_STORE";
    assertEquals(removed[name], isKept ? undefined : "1", name);
    const expected = isKept ? "1" : isSystemStore ? "system" : undefined;
    assertEquals(left[name], expected, name);
  }
});

Deno.test("removeRuntimeVariables() removes variables of other versions, and no others", async () => {
  const others = REMOVED_PREFIXES.map((prefix) => `${prefix}OF_ANOTHER_VERSION`);
  const users = ["AWS_REGION", "NODENAME", "toString", "SOFTHSM2_CONF"];
  const { removed, left } = await removeIn(
    Object.fromEntries([...others, ...users].map((name) => [name, "1"])),
  );
  assertEquals(Object.keys(removed).toSorted(), others.toSorted());
  assertEquals(users.filter((name) => left[name] !== "1"), []);
});
