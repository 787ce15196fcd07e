/**
 * Runs the program's scripts (`bundle.ts` makes them). Each is a function of its exports, of `require` for
 * other scripts and Node's modules, and of the import of packages.
 */

/**
 * Runs the first script; the others run on demand. `compile` returns the `vm.Script` of a file name,
 * `importPackage` imports a package's file.
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
