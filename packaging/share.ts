/**
 * Files that are installed below `share`: man pages and shell completions.
 *
 * Usage: deno run -A packaging/share.ts FOLDER
 *
 * @module
 */
import { COMPLETIONS } from "../src/cli/commands/completions.ts";
import { PROGRAM } from "../src/cli/program.ts";
import { manPages } from "./man.ts";
import { sourceDate } from "./source_date.ts";

/** Folders below `share` in which shells look for completions; PowerShell has none. */
const COMPLETION_PATHS: Readonly<Record<string, string>> = {
  bash: `bash-completion/completions/${PROGRAM}`,
  zsh: `zsh/site-functions/_${PROGRAM}`,
  fish: `fish/vendor_completions.d/${PROGRAM}.fish`,
};

/** Replaces the folder. */
async function writeShare(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const write = async (name: string, text: string) => {
    const path = `${folder}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  };
  for (const [name, page] of manPages(await sourceDate())) await write(`man/man1/${name}`, page);
  for (const [shell, script] of Object.entries(COMPLETIONS)) {
    const path = COMPLETION_PATHS[shell];
    if (path !== undefined) await write(path, script());
  }
}

await writeShare(Deno.args[0] ?? "build/share");
