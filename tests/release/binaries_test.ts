import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { lowestGlibc } from "../../packaging/base/symbol_versions.ts";
import { bundleOf } from "../../packaging/build.ts";
import { checkBinary } from "../../packaging/dist/check_binary.ts";
import { fileNameOf, TARGETS } from "../../packaging/targets.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { runProgram } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { DIST, must, ROOT, unpackImage } from "../support/release.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

/** Expected report of LIEF for each target's binary. */
const JUDGED: Readonly<Record<string, readonly [format: string, machine: string]>> = {
  "linux-x64": ["ELF", "X86_64"],
  "linux-arm64": ["ELF", "AARCH64"],
  "macos-x64": ["MACHO", "X86_64"],
  "macos-arm64": ["MACHO", "ARM64"],
  "windows-x64": ["PE", "AMD64"],
};

Deno.test("make dist builds a binary for each target, of its format and processor, by LIEF", async () => {
  const judge = fileURLToPath(new URL("../support/judge_binaries.py", import.meta.url));
  const paths = TARGETS.map((target) => `${DIST}/${fileNameOf(target)}`);
  const { code, stdout, stderr } = await runProgram(PYTHON, [judge, ...paths]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const judged = JSON.parse(stdout);
  for (const target of TARGETS) {
    const { format, machine, payloadSegments, signed, sections } =
      judged[`${DIST}/${fileNameOf(target)}`];
    assertEquals([format, machine], JUDGED[target.name], target.name);
    // A second segment would be another program's payload; macOS on ARM starts signed programs only.
    if (target.name === "macos-arm64") assertEquals([payloadSegments, signed], [1, true]);
    if (format === "PE") {
      assertEquals(sections.filter((name: string) => name === ".pedata").length, 1);
    }
  }
});

Deno.test("checkBinary() accepts each binary for its own target, with the bundle once", async () => {
  const read = (name: string) => Deno.readFileSync(`${DIST}/${name}`);
  for (const target of TARGETS) {
    const file = fileNameOf(target);
    const output = target.deno === Deno.build.target ? "aws_signing_helper" : file;
    const bundle = Deno.readFileSync(`${bundleOf(output, target.deno)}/program.js`);
    const binary = read(file);
    await checkBinary(file, binary, bundle, target);
    for (const other of TARGETS) {
      if (other === target) continue;
      await assertRejects(() => checkBinary(file, binary, bundle, other), Error, file);
    }
    const changed = bundle.slice();
    changed[100] = (changed[100] ?? 0) ^ 1;
    await assertRejects(
      () => checkBinary(file, binary, changed, target),
      Error,
      "does not contain",
    );
  }
});

Deno.test("SHA256SUMS has every file of the release, as sha256sum checks it", async () => {
  const { code, stdout } = await runProgram("sha256sum", ["--check", "--strict", "SHA256SUMS"], {
    cwd: DIST,
  });
  assertEquals(code, 0, stdout);
  const listed = stdout.trim().split("\n").map((line) => line.replace(/: OK$/, ""));
  const existing = [...Deno.readDirSync(DIST)].filter(({ isFile }) => isFile)
    .map(({ name }) => name).filter((name) => name !== "SHA256SUMS");
  assertEquals(listed.toSorted(), existing.toSorted());
});

for (const name of ["linux-x64", "linux-arm64"]) {
  Deno.test(`the binary for ${name} needs glibc 2.27, by lowestGlibc() and readelf`, async () => {
    const target = TARGETS.find((candidate) => candidate.name === name);
    const path = `${DIST}/${target ? fileNameOf(target) : ""}`;
    assertEquals(lowestGlibc(Deno.readFileSync(path)), "2.27");
    const text = await must("readelf", ["--version-info", "--wide", path]);
    const versions = [...text.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
    assertEquals(Math.max(...versions), 27);
    const dynamic = await must("readelf", ["--dynamic", "--wide", path]);
    const libraries = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, library]) => library);
    const GLIBC = /^(lib(c|dl|m|pthread|rt)\.so|ld-linux)/;
    assertEquals(libraries.filter((library = "") => !GLIBC.test(library)), ["libgcc_s.so.1"]);
    // GCC 4.2 and later: older than any system with glibc 2.27.
    const gcc = [...text.matchAll(/\bGCC_(\d+)\./g)].map(([, major]) => Number(major));
    assertEquals(Math.max(...gcc) <= 4, true, `${gcc}`);
  });
}

for (const name of ["linux-x64", "linux-arm64", "macos-x64"]) {
  Deno.test(`a second build for ${name}, in another folder, is the same binary`, async () => {
    using directory = new TemporaryDirectory();
    const target = TARGETS.find((candidate) => candidate.name === name);
    if (!target) throw new Error(name);
    const { metadata } = JSON.parse(Deno.readTextFileSync(`${DIST}/aws_signing_helper.cdx.json`));
    const copy = directory.join("another folder");
    await copySource(copy);
    const output = directory.join("second");
    // As under nohup(1).
    const { success, stderr } = await new Deno.Command("sh", {
      args: [
        ...["-c", 'trap "" HUP; exec "$@"', "sh", Deno.execPath()],
        ...["run", "--quiet", "--cached-only", "-A", `${copy}/packaging/build.ts`, output],
        ...["--target", target.deno],
      ],
      env: { SOURCE_DATE_EPOCH: String(Date.parse(metadata.timestamp) / 1000) },
    }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    assertEquals(await sha256(output), await sha256(`${DIST}/${fileNameOf(target)}`));
  });
}

/** Copies what a build needs, without what the first build made; base binaries are linked. */
async function copySource(to: string): Promise<void> {
  await Deno.mkdir(`${to}/build/toolchain`, { recursive: true });
  for (const name of ["deno.json", "deno.lock", "src", "plugins", "packaging"]) {
    await must("cp", ["-a", `${ROOT}${name}`, to]);
  }
  for (const { deno } of TARGETS) {
    const name = `build/toolchain/denort-${deno}`;
    if (existsSync(`${ROOT}${name}`)) await Deno.symlink(`${ROOT}${name}`, `${to}/${name}`);
  }
}

async function sha256(path: string): Promise<string> {
  return encodeHex(
    new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path))),
  );
}

testWith(
  ["image", "program:qemu-aarch64-static"],
  "the binary for linux-arm64 runs emulated: version, sign-string, credential-process",
  async () => {
    await using scenario = await SessionScenario.create();
    const { root } = await unpackImage(scenario.directory, "arm64");
    const emulated = (args: readonly string[]) =>
      runProgram("qemu-aarch64-static", [
        "-L",
        root,
        `${root}/usr/bin/aws_signing_helper`,
        ...args,
      ]);

    const version = await emulated(["version"]);
    assertEquals([version.code, version.stdout], [0, `${VERSION}\n`]);

    // PKCS#1 v1.5 has one signature for a message: this machine's own binary must return the same.
    const { keyPath } = await createAuthority(scenario.directory, {
      subject: "/CN=x",
      keyType: "rsa-2048",
    });
    const sign = ["sign-string", "--private-key", keyPath, "--format", "text"];
    const own = await must(`${DIST}/aws_signing_helper-${VERSION}-linux-x64`, sign);
    const signed = await emulated(sign);
    assertEquals([signed.code, signed.stdout], [0, own]);

    const { code, stdout, stderr } = await emulated(["credential-process", ...scenario.flags]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertEquals(JSON.parse(stdout).AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
  },
);

Deno.test("musl's loader refuses the binary and names what is missing", async () => {
  const { code, stderr } = await runProgram("/lib/ld-musl-x86_64.so.1", [
    `${DIST}/aws_signing_helper-${VERSION}-linux-x64`,
    "version",
  ]);
  assertEquals(code === 0, false);
  assertStringIncludes(stderr, "Error relocating");
});
