/**
 * What the binary starts with: runs the program's scripts from their compiled code, which stands
 * beside them in the binary (`code_cache.ts` makes it). Code that V8 does not accept is compiled
 * anew.
 *
 * It imports nothing but what the bundle puts into its own file: each import of one of Node's modules
 * would be half a millisecond before the first statement.
 */
import { removeRuntimeVariables } from "../src/runtime/remove_variables.ts";
import { runProgram } from "./scripts.js";

// Before the first thread is started, and anything else reads a variable.
removeRuntimeVariables(REMOVED_VARIABLES);

// The first TLS connection waits until the cryptographic library has gathered entropy, which takes
// longer than all the rest. Making any key begins that in another thread. A kept session needs no
// connection; where there is none, the program begins it.
const maybeKept = Deno.args.includes("--cache") || Deno.env.has("AWS_SIGNING_HELPER_CACHE");
if (Deno.args.some((word) => NETWORK_COMMANDS.includes(word)) && !maybeKept) {
  void crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

const vm = globalThis.process.getBuiltinModule("node:vm");
const directory = import.meta.dirname;

function compile(filename) {
  let cachedData;
  try {
    cachedData = Deno.readFileSync(`${directory}/${filename.replace(/js$/, "cache")}`);
  } catch {
    // built for another platform than the one that built it, or seldom used: there is none
  }
  const source = Deno.readTextFileSync(`${directory}/${filename}`);
  return new vm.Script(source, { filename, ...(cachedData ? { cachedData } : {}) });
}

runProgram(compile, (path) => import(path));
