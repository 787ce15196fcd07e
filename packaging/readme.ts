// deno-lint-ignore-file no-console -- a build script talks to the terminal it runs in
/**
 * Writes the `apt-get` line of tests/README.md from tests/install_tools.sh.
 *
 * Usage: deno run -A packaging/readme.ts [--check]
 *
 * @module
 */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FILE = `${ROOT}tests/README.md`;
const COMMAND = "apt-get install --no-install-recommends";
const BLOCK = new RegExp(`^${COMMAND} \\\\\\n(?: .*\\n)+`, "m");
const WIDTH = 94;

/** Returns the line, wrapped as a shell reads it. */
function aptLine(packages: readonly string[]): string {
  const lines = [COMMAND];
  let line = " ";
  for (const name of packages) {
    if (line.length + name.length > WIDTH) {
      lines.push(line);
      line = " ";
    }
    line += ` ${name}`;
  }
  return `${[...lines, line].join(" \\\n")}\n`;
}

const { success, stdout } = await new Deno.Command("sh", {
  args: ["tests/install_tools.sh", "--packages"],
  cwd: ROOT,
}).output();
const text = await Deno.readTextFile(FILE);
if (!success || !BLOCK.test(text)) {
  throw new Error("tests/README.md has no place for the apt-get line");
}
const packages = new TextDecoder().decode(stdout).trim().split("\n");
const written = text.replace(BLOCK, aptLine(packages));
if (!Deno.args.includes("--check")) await Deno.writeTextFile(FILE, written);
else if (written !== text) {
  console.error(
    "tests/README.md: its apt-get line is not what tests/install_tools.sh installs; run make reference",
  );
  Deno.exit(1);
}
