/** The lines of README.md and plugins/cng for Windows, as the program writes them under wine. */
import { assertEquals } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { testWith } from "../support/needs.ts";
import { ARN_FLAGS } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { WINDOWS_BINARY, Wine } from "../support/wine.ts";

const BLOCK = "windows configure";
const [WINDOWS_LINE = "", MACOS_LINE = ""] = settingsOf("README.md");
const ON_WINDOWS = [WINDOWS_LINE, ...settingsOf("plugins/cng/README.md")];

/** Returns the settings in a document. */
function settingsOf(path: string): string[] {
  return blocks(path, BLOCK).flatMap((text) => text.match(/^credential_process = .*$/gm) ?? []);
}

/** Returns the program and its first flags in a setting, without the flags that `…` replaces. */
function partsOf(line: string): [program: string, flags: string] {
  const [program = "", flags = ""] = line.replace("credential_process = ", "")
    .split(" credential-process ");
  return [program, flags.replace(/ …$/, "")];
}

testWith(["wine"], "configure on Windows writes the documented lines", async () => {
  await using wine = Wine.start();
  using directory = new TemporaryDirectory("Program Files ");
  for (const line of ON_WINDOWS) {
    const [program, flags] = partsOf(line);
    // A path with a blank is in quotes, whole and with its backslashes.
    assertEquals(program, '"C:\\Program Files\\aws_signing_helper\\aws_signing_helper.exe"');
    const [flag = "", value = ""] = flags.split(/ (.*)/);
    const binary = directory.join("aws_signing_helper.exe");
    await Deno.copyFile(WINDOWS_BINARY, binary);
    const words = [flag, value.replace(/^"(.*)"$/, "$1"), ...ARN_FLAGS];
    const { code, stdout, stderr } = await wine.run(binary, ["configure", ...words]);
    assertEquals(code, 0, stderr);
    const [written = ""] = stdout.match(/^credential_process = .*$/m) ?? [];
    const [path, writtenFlags] = partsOf(written.trimEnd());
    assertEquals(path, `"Z:${binary.replaceAll("/", "\\")}"`);
    assertEquals(writtenFlags, `${flags} ${ARN_FLAGS.join(" ")}`);
  }
});

testWith(["binary"], "configure writes the documented line for macOS, here on Linux", async () => {
  const [program, flags] = partsOf(MACOS_LINE);
  assertEquals(program, "/usr/local/bin/aws_signing_helper");
  const { stdout } = await runBinary(["configure", ...flags.split(" "), ...ARN_FLAGS]);
  const [written = ""] = stdout.match(/^credential_process = .*$/m) ?? [];
  assertEquals(partsOf(written)[1], `${flags} ${ARN_FLAGS.join(" ")}`);
});
