/**
 * What the binary starts with: runs the bundled program from its compiled code, which stands beside
 * it in the binary (`code_cache.ts` makes it). Code that V8 does not accept is compiled anew.
 */
import process from "node:process";
import vm from "node:vm";

// The first TLS connection waits until the cryptographic library has gathered entropy, which takes
// longer than all the rest. Making any key begins that in another thread. A kept session needs no
// connection; where there is none, the program begins it.
const maybeKept = Deno.args.includes("--cache") || Deno.env.has("AWS_SIGNING_HELPER_CACHE");
if (NETWORK_COMMANDS.includes(Deno.args[0]) && !maybeKept) {
  void crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

const directory = import.meta.dirname;
let cachedData;
try {
  cachedData = Deno.readFileSync(`${directory}/program.cache`);
} catch {
  // built for another platform than the one that built it: there is none
}
const script = new vm.Script(Deno.readTextFileSync(`${directory}/program.js`), {
  filename: "program.js",
  ...(cachedData ? { cachedData } : {}),
});
script.runInThisContext()(
  (name) => process.getBuiltinModule(name),
  (path) => import(path),
);
