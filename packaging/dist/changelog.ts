/**
 * Release notes and the Debian changelog, from `packaging/CHANGELOG.md`.
 *
 * @module
 */

import { VERSION } from "../../src/cli/commands/version.ts";

/** Width of a line in a Debian changelog, in characters. */
const DEBIAN_WIDTH = 80;

/** Reads the items of this version. Throws if there are none. */
export async function readChanges(root: string): Promise<string[]> {
  return changesOf(await Deno.readTextFile(`${root}packaging/CHANGELOG.md`), VERSION);
}

/** Returns the items of a version's section. Throws if the section is missing or empty. */
export function changesOf(changelog: string, version: string): string[] {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.split("\n", 1)[0]?.trim() === version);
  const items = section?.match(/^- .+$/gm)?.map((line) => line.slice(2).trim()) ?? [];
  if (items.length > 0) return items;
  throw new Error(
    `packaging/CHANGELOG.md: no changes for ${version}; add a section "## ${version}"`,
  );
}

/** Returns the release notes of a version, as Markdown. */
export function releaseNotes(program: string, version: string, items: readonly string[]): string {
  return `# ${program} ${version}\n\n${items.map((item) => `- ${item}\n`).join("")}`;
}

/** Returns an item of a Debian changelog, wrapped and without Markdown's code marks. */
export function debianItem(item: string): string {
  const lines: string[] = [];
  let line = "  *";
  for (const word of item.replaceAll("`", "").split(" ")) {
    if (line.length + 1 + word.length > DEBIAN_WIDTH) {
      lines.push(line);
      line = "   ";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}
