/**
 * Recorder of the code cache, compiled at build time only: runs the program with typical command lines and
 * writes the code that V8 compiled, a file for each script. Arguments: the output folder, a file with the
 * command lines as JSON, and the certificate (DER) of the PKCS#11 token.
 */
import vm from "node:vm";
import { runProgram } from "./scripts.js";
import { installTokenDouble } from "./token_double.js";

const [folder, commandLines, certificate] = Deno.args;
installTokenDouble(Deno.readFileSync(certificate));
const { dlopen, exit } = Deno;
const scripts = new Map();

function compile(filename) {
  const known = scripts.get(filename);
  if (known) return known;
  const source = Deno.readTextFileSync(`${import.meta.dirname}/${filename}`);
  const script = new vm.Script(source, { filename });
  scripts.set(filename, script);
  return script;
}

/** Replaces the ends of the process, see src/runtime/end_process.ts, by a call of `resolve`. */
function replaceExit(resolve) {
  const end = (code) => {
    resolve(code);
    return new Promise(() => {});
  };
  Deno.exit = end;
  Deno.dlopen = (path, symbols) =>
    symbols._exit ? { symbols: { _exit: end } } : dlopen(path, symbols);
}

for (const args of JSON.parse(Deno.readTextFileSync(commandLines))) {
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  const code = await new Promise((resolve) => {
    replaceExit(resolve);
    runProgram(compile, (path) => import(path));
  });
  if (code !== 0) exit(1);
}
for (const [filename, script] of scripts) {
  Deno.writeFileSync(`${folder}/${filename.replace(/js$/, "cache")}`, script.createCachedData());
}
exit(0);
