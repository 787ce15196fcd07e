/** The keystore of `.github/CONTRIBUTING.md`, built and run from the document's text. */
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { assertEquals, assertStringIncludes } from "@std/assert";

import { testMessage } from "../../src/cli/commands/sign_string.ts";
import { parsePublicKey } from "../../src/x509/public_key.ts";
import { leastEnvironment } from "../support/binary.ts";
import { generateKey } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { type Folder, TemporaryDirectory } from "../support/temporary_directory.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const GITHUB = join(ROOT, ".github");
const DOCUMENT = Deno.readTextFileSync(join(GITHUB, "CONTRIBUTING.md"));

/** The code blocks of the document that name a file in their first line, by that file. */
const BLOCKS = new Map(
  [...DOCUMENT.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```$/gms)]
    .map(([, file = "", code = ""]) => [file, code]),
);

/** The line before which a block of a file is inserted. */
const ENDS: Readonly<Record<string, string>> = {
  "src/keystore/uri.ts": "} as const satisfies Record<string, SchemeDescription>;\n",
  "src/main.ts": "  }),\n  environment:",
};

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory, isFile } of Deno.readDirSync(from)) {
    if (isDirectory && name !== "node_modules") copyTree(join(from, name), join(to, name));
    else if (isFile) Deno.copyFileSync(join(from, name), join(to, name));
  }
}

/** Copies the sources and applies the document's blocks. */
function writeProgram(directory: Folder): void {
  for (const folder of ["src", "plugins", "packaging", "tests"]) {
    copyTree(join(ROOT, folder), directory.join(folder));
  }
  for (const file of ["deno.json", "deno.lock"]) {
    Deno.copyFileSync(join(ROOT, file), directory.join(file));
  }
  for (const [file, code] of BLOCKS) {
    const end = ENDS[file];
    if (end === undefined) {
      directory.write(file, code);
      continue;
    }
    const [before, after, ...more] = Deno.readTextFileSync(directory.join(file)).split(end);
    assertEquals([after === undefined, more], [false, []], `${file}: one place for the block`);
    directory.write(file, `${before}${code}${end}${after}`);
  }
}

async function deno(directory: Folder, args: readonly string[], success = true) {
  const result = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: directory.path,
    clearEnv: true,
    env: { ...leastEnvironment(), DENO_DIR: join(ROOT, "build/deno"), NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [stdout, stderr] = [result.stdout, result.stderr].map((b) => new TextDecoder().decode(b));
  if (success) assertEquals(result.success, true, `${args[0]}: ${stdout}${stderr}`);
  return { stdout: stdout ?? "", stderr: stderr ?? "", bytes: result.stdout, code: result.code };
}

const RUN = ["run", "--quiet", "-A", "--cached-only", "--no-check", "src/main.ts"];

Deno.test("CONTRIBUTING.md's keystore touches a plugin, uri.ts and main.ts, and nothing else", () => {
  assertEquals([...BLOCKS.keys()], ["plugins/toy/mod.ts", "src/keystore/uri.ts", "src/main.ts"]);
});

Deno.test("CONTRIBUTING.md's keystore is in order, and works in every command", async (t) => {
  using directory = new TemporaryDirectory();
  writeProgram(directory);

  await t.step("types of the program, the build and all tests", async () => {
    await deno(directory, [
      "check",
      "--quiet",
      "src",
      "plugins",
      "packaging",
      "tests",
    ]);
  });
  await t.step("format and lint of the changed files", async () => {
    await deno(directory, ["fmt", "--check", "--quiet", ...BLOCKS.keys()]);
    await deno(directory, ["lint", "--quiet", ...BLOCKS.keys()]);
  });
  await t.step("import directions, and the tests of schemes", async () => {
    await deno(directory, [
      ...["test", "--quiet", "-A", "--cached-only", "--no-check"],
      ...[
        "tests/architecture_test.ts",
        "tests/keystore/registry_test.ts",
        "tests/keystore/uri_test.ts",
      ],
    ]);
  });

  const key = directory.write("toy key.pem", await generateKey("ec-p256"));
  Deno.chmodSync(key, 0o644);
  const uri = `toy:${encodeURI(key)}`;

  await t.step("sign-string signs, as openssl verifies", async () => {
    const { bytes } = await deno(directory, [
      ...RUN,
      ...["sign-string", "--private-key", uri, "--format", "bin"],
    ]);
    const spki = await openssl(["pkey", "-in", key, "-pubout", "-outform", "DER"]);
    const publicKey = directory.write("public.der", spki);
    const message = directory.write("message", await testMessage(parsePublicKey(spki)));
    const signature = directory.write("signature", bytes);
    const verify = ["dgst", "-sha256", "-keyform", "DER", "-verify", publicKey];
    const verified = await openssl([...verify, "-signature", signature, message]);
    assertStringIncludes(new TextDecoder().decode(verified), "Verified OK");
  });
  await t.step("a missing key is an error that names it", async () => {
    const args = [...RUN, "sign-string", "--private-key", "toy:missing.pem"];
    const { code, stderr } = await deno(directory, args, false);
    assertEquals(code, 3);
    assertStringIncludes(stderr, "toy:missing.pem: not a PEM key; check the path");
  });
  await t.step("an unknown scheme's error lists it", async () => {
    const args = [...RUN, "sign-string", "--private-key", "other:a"];
    assertStringIncludes((await deno(directory, args, false)).stderr, "toy:");
  });
  await t.step("doctor checks the mode of its file", async () => {
    const args = [...RUN, "doctor", "--private-key", uri, "--endpoint", "https://a.invalid"];
    const { stdout } = await deno(directory, args, false);
    assertStringIncludes(stdout, `${key} has the private key, and every user can read it`);
  });
  await t.step("configure writes its path in full", async () => {
    const arn = "arn:aws:rolesanywhere:us-east-1:123456789012";
    const { stdout } = await deno(directory, [
      ...[...RUN, "configure", "--certificate", "c.pem", "--private-key", "toy:toy%20key.pem"],
      ...["--role-arn", "arn:aws:iam::123456789012:role/a", "--profile-arn", `${arn}:profile/a`],
      ...["--trust-anchor-arn", `${arn}:trust-anchor/a`],
    ]);
    assertStringIncludes(stdout, uri);
  });
  await t.step("the bundle has a script of its own for it", async () => {
    const [bundle, packages] = [directory.join("bundle"), join(ROOT, "build/packages")];
    const request = JSON.stringify({ entry: directory.join("src/main.ts"), bundle, packages });
    directory.write(
      "packaging/make_bundle.ts",
      `import { makeBundle } from "./bundle.ts";\nawait makeBundle(${request});\n`,
    );
    const run = ["run", "--quiet", "-A", "--cached-only", "--no-check"];
    await deno(directory, [...run, "packaging/make_bundle.ts"]);
    const holders = [...Deno.readDirSync(bundle)].map(({ name }) => name).filter((name) =>
      Deno.readTextFileSync(join(bundle, name)).includes("not a PEM key; check the path")
    );
    assertEquals(holders, ["toy.js"]);
  });
});

const DOCUMENTS = ["CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md", "ISSUE_TEMPLATE/bug.md"];

for (const name of DOCUMENTS) {
  Deno.test(`.github/${name} has lines of at most 140 columns and links that resolve`, () => {
    const path = join(GITHUB, name);
    const text = Deno.readTextFileSync(path);
    assertEquals(text.split("\n").filter((line) => line.length > 140), []);
    const targets = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => resolve(dirname(path), target));
    const missing = targets.filter((target) => !exists(target));
    assertEquals(missing.map((target) => relative(ROOT, target)), []);
  });
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
}
