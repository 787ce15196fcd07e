/**
 * Removes the variables that would steer the runtime. Imported first by the program and its loader.
 *
 * @module
 */
import { REMOVED_PREFIXES, RUNTIME_VARIABLES } from "./variables.ts";

/** The program and its loader each have a copy of this module. */
const REMOVED = Symbol.for("aws_signing_helper.removed-variables");

/**
 * Removes the runtime's variables from the process, once. Returns what was removed: the program
 * itself reads some of them.
 */
export function removeRuntimeVariables(): ReadonlyMap<string, string> {
  const holder: typeof globalThis & { [REMOVED]?: ReadonlyMap<string, string> } = globalThis;
  return holder[REMOVED] ??= remove();
}

function remove(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(Deno.env.toObject())) {
    if (!isRemoved(name)) continue;
    found.set(name, value);
    Deno.env.delete(name);
  }
  Deno.env.set("DENO_TLS_CA_STORE", "system");
  return found;
}

/** Windows does not distinguish upper from lower case. */
function isRemoved(written: string): boolean {
  const name = Deno.build.os === "windows" ? written.toUpperCase() : written;
  if (REMOVED_PREFIXES.some((prefix) => name.startsWith(prefix))) return true;
  const known = Object.hasOwn(RUNTIME_VARIABLES, name) ? RUNTIME_VARIABLES[name] : undefined;
  return known !== undefined && known.handling !== "kept";
}
