/** The compiled macOS programs: checked here as files, never executed. */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";

import { bundleOf } from "../../packaging/build.ts";
import { runProgram } from "../support/binary.ts";
import { BUILD } from "../support/native.ts";
import { PYTHON } from "../support/tools.ts";

const SCRIPT = fileURLToPath(new URL("../support/check_macho.py", import.meta.url));

/** Flags that `codesign` sets in an ad-hoc signature: CS_ADHOC and CS_LINKER_SIGNED. */
const ADHOC_LINKER_SIGNED = 0x2_0002;

const BINARIES: [string, { segments: string[]; signed: boolean }][] = [
  ["x64", { segments: ["__PAGEZERO", "__TEXT", "__DATA", "__LINKEDIT"], signed: false }],
  [
    "arm64",
    {
      segments: ["__PAGEZERO", "__TEXT", "__DATA_CONST", "__DATA", "__SUI", "__LINKEDIT"],
      signed: true,
    },
  ],
];

for (const [architecture, { segments, signed }] of BINARIES) {
  const path = `${BUILD}darwin-${architecture}/aws_signing_helper`;

  Deno.test(`macOS ${architecture}: the binary has a layout that loads, its segments once, right page hashes`, async () => {
    const { code, stdout, stderr } = await runProgram(PYTHON, [SCRIPT, path]);
    assertEquals(code, 0, stderr);
    const { signature, ...rest } = JSON.parse(stdout);
    assertEquals(rest, { sound: true, why: "", segments });
    assertEquals(signature !== null, signed);
    if (signed) {
      assertEquals([signature.flags, signature.isAtTheEnd], [ADHOC_LINKER_SIGNED, true]);
      assertEquals(signature.right, signature.pages);
      assert(signature.pages > 10_000);
    }
  });

  Deno.test(`macOS ${architecture}: the binary holds this program once`, async () => {
    const binary = Buffer.from(await Deno.readFile(path));
    const target = `${architecture === "x64" ? "x86_64" : "aarch64"}-apple-darwin`;
    const program = await Deno.readFile(`${bundleOf(path, target)}/program.js`);
    const first = binary.indexOf(program);
    assert(first > 0);
    assertEquals(binary.indexOf(program, first + 1), -1);
  });
}
