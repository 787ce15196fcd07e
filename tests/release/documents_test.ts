import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { packageManifests } from "../../packaging/dist/manifests.ts";
import { manPages } from "../../packaging/man.ts";
import { fileNameOf, TARGETS } from "../../packaging/targets.ts";
import { COMMANDS } from "../../src/cli/flags/flags.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { runProgram } from "../support/binary.ts";
import { DIST, ROOT } from "../support/release.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

const bom = JSON.parse(Deno.readTextFileSync(`${DIST}/aws_signing_helper.cdx.json`));

/** The packages whose code is in the bundle, by esbuild's own account. */
const { outputs } = JSON.parse(
  Deno.readTextFileSync(`${ROOT}build/bundle/aws_signing_helper.metafile.json`),
);
const BUNDLED = new Set(
  Object.values<{ inputs: Record<string, { bytesInOutput: number }> }>(outputs)
    .flatMap(({ inputs }) => Object.keys(inputs))
    .flatMap((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
);

Deno.test("the SBOM names the program, the runtime and exactly the packages in the bundle", () => {
  assertEquals([bom.bomFormat, bom.specVersion], ["CycloneDX", "1.6"]);
  assertEquals(bom.metadata.component.version, VERSION);
  const names = bom.components.map(({ group, name }: { group?: string; name: string }) =>
    group ? `${group}/${name}` : name
  );
  assertEquals(names.toSorted(), ["deno", ...BUNDLED].toSorted());
  for (const { name, version, licenses } of bom.components) {
    assertEquals([typeof version, licenses.length], ["string", 1], name);
  }
  const references = bom.components.map((component: Record<string, string>) =>
    component["bom-ref"]
  );
  const roots = bom.dependencies[0].dependsOn;
  assertEquals(roots.includes(`deno@${Deno.version.deno}`), true);
  assertEquals(roots.every((ref: string) => references.includes(ref)), true);
});

Deno.test("THIRD-PARTY-LICENSES has a licence text for each package", () => {
  const text = Deno.readTextFileSync(`${DIST}/THIRD-PARTY-LICENSES`);
  const parts = text.split(/^={80}\n(.+)\n={80}\n/m);
  const titles = parts.filter((_, i) => i % 2 === 1);
  for (const { group, name, version } of bom.components) {
    const title = `${group ? `${group}/` : ""}${name} ${version}`;
    const at = titles.findIndex((candidate) => candidate.startsWith(title));
    assertStringIncludes((parts[2 * at + 2] ?? "").toLowerCase(), "copyright", title);
  }
  assertEquals(titles.some((title) => title.startsWith("V8 ")), true);
});

Deno.test("manPages() returns a page for each command without warnings of mandoc and man", async () => {
  using directory = new TemporaryDirectory();
  const pages = manPages(new Date("2026-01-02T00:00:00Z"));
  assertEquals(pages.size, Object.keys(COMMANDS).length + 1);
  const paths = [...pages].map(([name, page]) => directory.write(name, page));
  const lint = await runProgram("mandoc", ["-T", "lint", "-W", "warning", ...paths]);
  assertEquals([lint.code, lint.stdout, lint.stderr], [0, "", ""]);
  const man = await runProgram("man", ["--warnings", "-l", ...paths], {
    env: { LC_ALL: "C.UTF-8" },
  });
  assertEquals([man.code, man.stderr], [0, ""]);
  assertStringIncludes(man.stdout.replaceAll(/\s+/g, " "), "--role-arn ARN IAM role to assume.");
});

Deno.test("packageManifests() returns files that Ruby, YAML and JSON read, with the binaries' checksums", async () => {
  using directory = new TemporaryDirectory();
  const sums = new Map(
    Deno.readTextFileSync(`${DIST}/SHA256SUMS`).trim().split("\n").map((line): [string, string] => {
      const [sum = "", file = ""] = line.split("  ");
      return [file, sum];
    }),
  );
  const url = "https://releases.example/v1";
  const manifests = packageManifests({ url, sums, date: new Date("2026-01-02T00:00:00Z") });
  assertEquals(manifests.size, 5);
  const of = (file: string) => manifests.get(file) ?? "";
  const windows = TARGETS.find(({ name }) => name === "windows-x64");
  const windowsFile = windows ? fileNameOf(windows) : "";

  const formula = of("homebrew/aws_signing_helper.rb");
  const judge = fileURLToPath(new URL("../support/judge_syntax.py", import.meta.url));
  const ruby = await runProgram(PYTHON, [judge, "ruby", directory.write("f.rb", formula)]);
  assertEquals([ruby.code, ruby.stdout, ruby.stderr], [0, "", ""]);
  for (const target of TARGETS.filter(({ format }) => format !== "pe")) {
    const file = fileNameOf(target);
    assertStringIncludes(formula, `url "${url}/${file}"\n      sha256 "${sums.get(file)}"`);
  }

  const scoop = JSON.parse(of("scoop/aws_signing_helper.json"));
  assertEquals(scoop.architecture["64bit"].hash, sums.get(windowsFile));

  const id = "winget/AwsSigningHelper.AwsSigningHelper";
  const yaml = [".yaml", ".installer.yaml", ".locale.en-US.yaml"].map((end) => of(`${id}${end}`));
  const script =
    "import json,sys,yaml; print(json.dumps([yaml.safe_load(a) for a in sys.argv[1:]]," +
    " default=str))";
  const read = await runProgram(PYTHON, ["-c", script, ...yaml]);
  const [version, installer, locale] = JSON.parse(read.stdout);
  assertEquals(
    [version.ManifestType, installer.ManifestType, locale.ManifestType],
    ["version", "installer", "defaultLocale"],
  );
  assertEquals(version.PackageVersion, VERSION);
  assertEquals(installer.Installers[0].InstallerSha256, sums.get(windowsFile)?.toUpperCase());
  assertEquals(installer.Installers[0].InstallerUrl, `${url}/${windowsFile}`);
});

Deno.test("the launchd plist is valid, and its flags exist", async () => {
  const path = `${ROOT}packaging/launchd/aws-signing-helper.serve.plist`;
  const script =
    "import json,plistlib,sys; print(json.dumps(plistlib.load(open(sys.argv[1],'rb'))))";
  const plist = JSON.parse((await runProgram(PYTHON, ["-c", script, path])).stdout);
  const flags: readonly string[] = COMMANDS.serve.flags;
  const [, command, ...args] = plist.ProgramArguments;
  assertEquals(command, "serve");
  const variables = Object.keys(plist.EnvironmentVariables).map((name) =>
    name.replace("AWS_SIGNING_HELPER_", "").toLowerCase().replaceAll("_", "-")
  );
  const given = args.filter((word: string) => word.startsWith("--"))
    .map((word: string) => word.slice(2));
  assertEquals([...variables, ...given].filter((name) => !flags.includes(name)), []);
});
