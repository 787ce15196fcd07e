/**
 * Runs the program's scripts (`bundle.ts` makes them). Each is a function of its exports, of `require` for
 * other scripts and Node's modules, and of the import of packages.
 */

/**
 * Runs the first script; the others run on demand. `compile` returns the function of a file name,
 * `importPackage` imports a package's file. A module of Node is loaded when a part of it is used, because
 * Deno 2.9 takes 20 ms to load the first one.
 */
export function runProgram(compile, importPackage) {
  const loaded = new Map();
  const addNodeModule = (name) => {
    const load = (_, property) => globalThis.process.getBuiltinModule(name)[property];
    const module = new Proxy({}, { get: load });
    loaded.set(name, module);
    return module;
  };
  const require = (name) => {
    if (!name.startsWith("./")) return loaded.get(name) ?? addNodeModule(name);
    const known = loaded.get(name);
    if (known) return known;
    const exports = {};
    loaded.set(name, exports);
    compile(name.slice(2))(exports, require, importPackage);
    return exports;
  };
  require("./program.js");
}
