/**
 * Skips the tests that only the compiled program passes. `make test-runtime` loads this file before each
 * test file (`deno test --preload`).
 *
 * @module
 */
import { COMPILED_ONLY_TESTS } from "./runtime_differences.ts";

type TestFunction = (context: Deno.TestContext) => Promise<void> | void;

const define = Deno.test;

/** Defines a test as `Deno.test` does; only forms that our tests use. */
function test(given: string | Deno.TestDefinition, fn?: TestFunction): void {
  const definition = typeof given === "string" ? { name: given, fn: fn ?? (() => {}) } : given;
  const reason = COMPILED_ONLY_TESTS[definition.name];
  define(
    reason === undefined
      ? definition
      : { ...definition, name: `${definition.name} (not run: compiled: ${reason})`, ignore: true },
  );
}

Object.defineProperty(Deno, "test", { value: Object.assign(test, define) });
