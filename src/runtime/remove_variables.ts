/**
 * Removes the variables that would configure the runtime. The program and its loader import this first.
 *
 * @module
 */

/** Prefixes of removed variables: other versions of the runtime have other variables. */
export const REMOVED_PREFIXES: readonly string[] = ["DENO_", "NODE_", "OTEL_"];

/** A path for the runtime, also if it is empty. For a user, an empty value counts as not given. */
const REMOVED_IF_EMPTY = "SSL_CERT_FILE";

/** The program and its loader each have a copy of this module. */
const REMOVED = Symbol.for("aws_signing_helper.removed-variables");

/**
 * Removes variables of these names and of {@link REMOVED_PREFIXES} from the process, once. Returns the
 * removed variables: the program itself reads some of them. `names` is `REMOVED_VARIABLES`; the loader
 * has a copy, because loading the table would take a millisecond.
 */
export function removeRuntimeVariables(names: readonly string[]): ReadonlyMap<string, string> {
  const holder: typeof globalThis & { [REMOVED]?: ReadonlyMap<string, string> } = globalThis;
  return holder[REMOVED] ??= remove(new Set(names));
}

function remove(names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [written, value] of Object.entries(Deno.env.toObject())) {
    // Windows does not distinguish upper from lower case.
    const name = Deno.build.os === "windows" ? written.toUpperCase() : written;
    if (name === REMOVED_IF_EMPTY && value === "") Deno.env.delete(written);
    if (!names.has(name) && !REMOVED_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
    found.set(written, value);
    Deno.env.delete(written);
  }
  Deno.env.set("DENO_TLS_CA_STORE", "system");
  return found;
}
