/**
 * Recorder of the code cache, compiled at build time only: runs the program with typical command lines and
 * writes the code that V8 compiled, a file for each script. Arguments: the output folder, a file with the
 * command lines as JSON, the certificate (DER) of the PKCS#11 token, and the time in milliseconds.
 */
import vm from "node:vm";
import { runProgram } from "./scripts.js";
import { installTokenDouble } from "./token_double.js";

const [folder, commandLines, certificate, time] = Deno.args;
fixInputs(Number(time));
installTokenDouble(Deno.readFileSync(certificate));
const { dlopen, exit } = Deno;
const scripts = new Map();

/**
 * Fixes the time, random numbers, ECDSA signatures and the order of events: V8 stores the kinds of the
 * operands of comparisons in the code, and two builds of one commit must be equal.
 */
function fixInputs(now) {
  globalThis.Date = class extends Date {
    constructor(...args) {
      super(...(args.length === 0 ? [now] : args));
    }

    static now() {
      return now;
    }
  };
  // SIGHUP is not ignored here, also if nohup(1) runs the build.
  const { readTextFileSync } = Deno;
  Deno.readTextFileSync = (path) =>
    path === "/proc/self/status" ? `SigIgn:\t${"0".repeat(16)}\n` : readTextFileSync(path);
  // The operating system's answer arrives in this turn of the event loop or a later one, by chance. It decides
  // if V8 adds the positions in the source to the code of the function that catches an error.
  for (const name of ["stat", "lstat"]) {
    Deno[name] = async (path) => await Deno[`${name}Sync`](path);
  }
  let count = 0;
  crypto.getRandomValues = (values) => values.fill(++count);
  const { subtle } = crypto;
  const sign = subtle.sign.bind(subtle);
  // r is negative without a leading zero, s is not: both branches of the conversion to DER.
  const signature = new Uint8Array(64).fill(0x9a, 0, 32).fill(0x3b, 32);
  subtle.sign = (algorithm, ...rest) =>
    algorithm.name === "ECDSA"
      ? Promise.resolve(signature.slice().buffer)
      : sign(algorithm, ...rest);
  // The program verifies its first signature.
  subtle.verify = () => Promise.resolve(true);
}

function compile(filename) {
  const script = scripts.get(filename) ?? makeScript(filename);
  return script.runInThisContext();
}

function makeScript(filename) {
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
