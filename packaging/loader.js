/**
 * Loader, the first code of the binary: runs the program's scripts from the code cache, which is stored
 * next to them in the binary (`code_cache.ts` makes it). Code that V8 does not accept is compiled again.
 *
 * It imports only modules that are bundled into its file: each import of a Node module would take half a
 * millisecond before the first statement.
 */
import { removeRuntimeVariables } from "../src/runtime/remove_variables.ts";
import { runProgram } from "./scripts.js";

// Before the first thread starts and before anything reads a variable.
removeRuntimeVariables(REMOVED_VARIABLES);

// The first TLS connection waits until the cryptographic library has gathered entropy, which takes
// longer than everything else. Generating an EC key starts that in another thread; Deno 2.9 generates
// symmetric keys in this one. A cached session needs no connection; without one, the program starts it.
const maybeKept = Deno.args.includes("--cache") || Deno.env.has("AWS_SIGNING_HELPER_CACHE");
if (Deno.args.some((word) => NETWORK_COMMANDS.includes(word)) && !maybeKept) {
  void crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
}

const directory = import.meta.dirname;

function compile(filename) {
  const source = Deno.readTextFileSync(`${directory}/${filename}`);
  const cachedData = HAS_CODE_CACHE ? readCache(filename) : undefined;
  if (!cachedData) {
    // deno-lint-ignore no-eval -- the program's own script
    return (0, eval)(`${source}\n//# sourceURL=${filename}`);
  }
  // Only here: Deno 2.9 takes 20 ms to load the first module of Node.
  const { Script } = globalThis.process.getBuiltinModule("node:vm");
  return new Script(source, { filename, cachedData }).runInThisContext();
}

/** Returns the compiled code of a script; undefined if no recorded run used it. */
function readCache(filename) {
  try {
    return Deno.readFileSync(`${directory}/${filename.replace(/js$/, "cache")}`);
  } catch {
    return undefined;
  }
}

runProgram(compile, (path) => import(path));
