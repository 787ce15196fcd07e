/**
 * Compiled beside the program at build time only: runs the bundled program over typical command
 * lines and writes the code that V8 compiled meanwhile. Its arguments: the file to write, a file
 * with the command lines as JSON, and the certificate (DER) that a PKCS#11 token is to hold.
 */
import process from "node:process";
import vm from "node:vm";
import { installTokenDouble } from "./token_double.js";

const [output, commandLines, certificate] = Deno.args;
installTokenDouble(Deno.readFileSync(certificate));
const script = new vm.Script(Deno.readTextFileSync(`${import.meta.dirname}/program.js`), {
  filename: "program.js",
});
const program = script.runInThisContext();
const { exit } = Deno;

for (const args of JSON.parse(Deno.readTextFileSync(commandLines))) {
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  const code = await new Promise((resolve) => {
    Deno.exit = resolve;
    program((name) => process.getBuiltinModule(name), (path) => import(path));
  });
  if (code !== 0) exit(1);
}
Deno.writeFileSync(output, script.createCachedData());
exit(0);
