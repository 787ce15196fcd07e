/**
 * THIRD-PARTY-LICENSES: the licences of all packages in the bundle and of the runtime's parts.
 *
 * @module
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** Licence whose text is not in the package itself. */
interface KeptLicense {
  /** A file in packaging/licenses. */
  readonly text: string;
  readonly copyright: readonly string[];
}

/** By the package's name. deno-std carries notices in its sources and no file. */
const KEPT: Readonly<Record<string, readonly KeptLicense[]>> = {
  "deno-std": [
    { text: "mit", copyright: ["Copyright 2018-2026 the Deno authors."] },
    { text: "bsd_3_clause", copyright: ["Copyright 2009 The Go Authors. (encoding/hex)"] },
  ],
};

/** Components of the runtime whose licences require a notice. */
const RUNTIME: readonly (readonly [string, KeptLicense])[] = [
  [`deno ${Deno.version.deno}`, {
    text: "mit",
    copyright: ["Copyright 2018-2026 the Deno authors."],
  }],
  [`V8 ${Deno.version.v8}, in the runtime`, {
    text: "bsd_3_clause",
    copyright: ["Copyright 2014, the V8 project authors. All rights reserved."],
  }],
];

/** Package in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX identifier from its package.json. */
  readonly license: string;
  readonly folder: string;
}

/** Returns the packages whose files are inputs of the bundle, by name and version. */
export async function bundledPackages(
  inputs: readonly string[],
  root: string,
): Promise<BundledPackage[]> {
  const folders = new Set(
    inputs.flatMap((input) => /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
  );
  const packages = await Promise.all([...folders].map(async (folder) => {
    const { name, version, license } = JSON.parse(
      await Deno.readTextFile(`${root}${folder}/package.json`),
    );
    return { name, version, license, folder: `${root}${folder}` };
  }));
  return packages.toSorted((a, b) =>
    `${a.name}@${a.version}`.localeCompare(`${b.name}@${b.version}`)
  );
}

/** Returns the whole text. Throws if a package has no licence text. */
export async function thirdPartyLicenses(packages: readonly BundledPackage[]): Promise<string> {
  const parts = await Promise.all(
    packages.map(async (bundled) =>
      part(`${bundled.name} ${bundled.version} (${bundled.license})`, await licenseOf(bundled))
    ),
  );
  const runtime = await Promise.all(
    RUNTIME.map(async ([title, kept]) => part(title, await keptText(kept))),
  );
  return [
    "The binary of aws_signing_helper contains the following third-party software. The runtime, Deno, is",
    "itself built from further libraries; their licences are named in its source,",
    "https://github.com/denoland/deno.\n",
    ...parts,
    ...runtime,
  ].join("\n");
}

function part(title: string, text: string): string {
  return `${"=".repeat(80)}\n${title}\n${"=".repeat(80)}\n\n${text.trim()}\n`;
}

async function licenseOf({ name, folder }: BundledPackage): Promise<string> {
  for await (const { name: file } of Deno.readDir(folder)) {
    if (/^(licen[cs]e|copying)(\.(md|txt))?$/i.test(file)) {
      return await Deno.readTextFile(`${folder}/${file}`);
    }
  }
  const kept = KEPT[name];
  if (!kept) throw new Error(`${name} has no licence text; add it to packaging/licenses`);
  return (await Promise.all(kept.map(keptText))).join("\n\n");
}

async function keptText({ text, copyright }: KeptLicense): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url));
  const license = await Deno.readTextFile(`${here}/../licenses/${text}.txt`);
  return `${copyright.join("\n")}\n\n${license}`;
}
