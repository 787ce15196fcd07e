/**
 * Compiled beside the program at build time only: runs the bundled program over typical command
 * lines and writes the code that V8 compiled meanwhile. Its arguments: the file to write, and a file
 * with the command lines as JSON.
 */
import process from "node:process";
import vm from "node:vm";

const [output, commandLines] = Deno.args;
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
