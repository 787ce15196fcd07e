/**
 * Reference data: what other programs recorded or computed, for tests that compare with it.
 *
 * Each test runs on generated data everywhere. It runs again on the recorded data of
 * `../shared/data`, if that folder exists.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

import { runProgram } from "./binary.ts";
import { type Need, testWith } from "./needs.ts";
import { Folder, TemporaryDirectory } from "./temporary_directory.ts";
import { PYTHON } from "./tools.ts";

/** A folder of the reference data. */
export type ReferencePart = "createsession" | "endpoints" | "mldsa" | "pkcs8" | "selectors";

const RECORDED = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const GENERATOR = fileURLToPath(new URL("make_reference.py", import.meta.url));

/** Selector files: two valid ones, and one for each kind of error. */
const SELECTORS: Readonly<Record<string, string>> = {
  "valid-all-attributes-selector.json": selector(
    ["x509Subject", "CN=Example Client,O=Example"],
    ["x509Issuer", "CN=Example Authority"],
    ["x509Serial", "5F0C3B7A9E2D48160B4C8F1A7D3E92C6A1B05D77"],
  ),
  "valid-some-attributes-selector.json": selector(
    ["x509Subject", "CN=Example Client,O=Example"],
    ["x509Serial", "5F0C3B7A9E2D48160B4C8F1A7D3E92C6A1B05D77"],
  ),
  "invalid-selector.json": "no JSON",
  "invalid-selector-2.json": '{"member":"value"}',
  "invalid-selector-3.json": '{"Key":"x509Serial","Value":"no hex"}',
  "invalid-selector-4.json": selector(
    ["x509Subject", "CN=Example Client"],
    ["x509Serial", "5F0C"],
    ["x509Subject", "CN=Other Client"],
  ),
};

/**
 * Defines a test that receives a folder with this part of the reference data: generated, and recorded
 * if that exists.
 */
export function testWithReference(
  part: ReferencePart,
  needs: readonly Need[],
  name: string,
  fn: (folder: Folder, context: Deno.TestContext) => Promise<void> | void,
): void {
  testWith(
    part === "selectors" ? needs : ["python-client", ...needs],
    `${name}, generated`,
    async (context) => {
      using folder = new TemporaryDirectory();
      await generate(part, folder);
      await fn(folder, context);
    },
  );
  const recorded = `${RECORDED}${part}`;
  if (!exists(recorded)) return;
  testWith(needs, `${name}, recorded`, async (context) => {
    await fn(new Folder(Deno.realPathSync(recorded)), context);
  });
}

async function generate(part: ReferencePart, folder: Folder): Promise<void> {
  if (part === "selectors") {
    for (const [name, text] of Object.entries(SELECTORS)) folder.write(name, text);
    return;
  }
  const { code, stderr } = await runProgram(PYTHON, [GENERATOR, part, folder.path]);
  if (code !== 0) throw new Error(`make_reference.py ${part} ended with ${code}: ${stderr}`);
}

function selector(...entries: readonly (readonly [key: string, value: string])[]): string {
  return JSON.stringify(entries.map(([Key, Value]) => ({ Key, Value })), undefined, 2);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
