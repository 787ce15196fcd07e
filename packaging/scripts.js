/**
 * Runs the program's scripts (`bundle.ts` makes them): each is a function of its exports, of what
 * gives other scripts and Node's modules, and of what imports a package.
 */

/**
 * Runs the first script; the others run when they are asked for. `compile` gives the `vm.Script` of
 * a file's name, `importPackage` imports a package's file.
 */
export function runProgram(compile, importPackage) {
  const loaded = new Map();
  const require = (name) => {
    if (!name.startsWith("./")) return globalThis.process.getBuiltinModule(name);
    const known = loaded.get(name);
    if (known) return known;
    const exports = {};
    loaded.set(name, exports);
    compile(name.slice(2)).runInThisContext()(exports, require, importPackage);
    return exports;
  };
  require("./program.js");
}
