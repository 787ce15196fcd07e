// deno-lint-ignore-file no-console -- a build script prints its progress
/**
 * Finishes a bill of materials of cyclonedx-esbuild: adds the program's name and the runtime in the
 * binary, removes the program's own modules, and validates the result with CycloneDX's schema. Run by Node.js from a folder in which the tool is installed.
 *
 * Usage: node finish.mjs BOM PROGRAM VERSION DENO_VERSION TIMESTAMP
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const [file, program, version, denoVersion, timestamp] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/`);
const { Spec, Validation } = require("@cyclonedx/cyclonedx-library");

const bom = JSON.parse(readFileSync(file, "utf8"));
const own = new Set(
  bom.components.filter(({ purl }) => !purl).map((component) => component["bom-ref"]),
);
const packages = bom.components.filter((component) => !own.has(component["bom-ref"]));
const runtime = {
  type: "platform",
  name: "deno",
  version: denoVersion,
  "bom-ref": `deno@${denoVersion}`,
  purl: `pkg:github/denoland/deno@v${denoVersion}`,
  licenses: [{ license: { id: "MIT" } }],
  description: "the runtime that the program is compiled with (denort), V8 in it",
};
const main = {
  type: "application",
  name: program,
  version,
  "bom-ref": `${program}@${version}`,
  licenses: [{ license: { id: "Apache-2.0" } }],
};
const dependsOn = new Set([runtime["bom-ref"]]);
for (const { ref, dependsOn: refs = [] } of bom.dependencies) {
  if (own.has(ref)) { for (const other of refs) if (!own.has(other)) dependsOn.add(other); }
}
const finished = {
  ...bom,
  metadata: { ...bom.metadata, timestamp, component: main },
  components: [runtime, ...packages],
  dependencies: [
    { ref: main["bom-ref"], dependsOn: [...dependsOn].sort() },
    { ref: runtime["bom-ref"] },
    ...bom.dependencies.filter(({ ref }) => !own.has(ref)),
  ],
};
const text = `${JSON.stringify(finished, null, 2)}\n`;
const faults = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
if (faults) {
  console.error(`sbom: not CycloneDX 1.6: ${JSON.stringify(faults)}`);
  process.exit(1);
}
writeFileSync(file, text);
