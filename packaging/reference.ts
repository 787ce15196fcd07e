// deno-lint-ignore-file no-console -- a build script talks to the terminal it runs in
/**
 * Writes the generated parts of `commands.md` from the flag and exit code tables.
 *
 * Usage: deno run -A packaging/reference.ts [--check]
 *
 * @module
 */
import { FINDINGS } from "../src/cli/doctor/finding.ts";
import {
  type CommandName,
  commandOf,
  COMMANDS,
  EXCLUSIONS,
  type FlagName,
  flagOf,
  FLAGS,
  variableOf,
} from "../src/cli/flags/flags.ts";
import { EXIT_CODES } from "../src/errors.ts";

const FILE = new URL("../commands.md", import.meta.url);

/** Each generated part, by the name in its marks. */
export const PARTS: Readonly<Record<string, () => string>> = {
  commands: () =>
    table(["Command", "What it does"], [
      ...names(COMMANDS).map((name) => [
        `[\`${name}\`](#${name.replaceAll(" ", "-")})`,
        commandOf(name).summary,
      ]),
    ]),
  ...Object.fromEntries(
    names(COMMANDS).map((name) => [`flags of ${name}`, () => commandFlags(name)]),
  ),
  "findings of doctor": () =>
    table(["Finding", "Level", "What it says"], [
      ...Object.entries(FINDINGS).map((
        [name, [level, meaning]],
      ) => [`\`${name}\``, level, meaning]),
    ]),
  exclusions: () =>
    table(["Flags that cannot be used together", "Where"], [
      ...EXCLUSIONS.map(({ flags: [a, b], commands, unless }) => [
        `\`--${a}\`, \`--${b}\``,
        (commands ? commands.join(", ") : "every command that has both") +
        (unless ? `, unless \`--${unless}\` is given` : ""),
      ]),
    ]),
  environment: () =>
    table(["Variable", "Stands for"], [
      ...names(FLAGS).map((name) => [`\`${variableOf(name)}\``, `\`--${name}\``]),
      ...names(FLAGS).flatMap((name) =>
        (flagOf(name).envAliases ?? []).map((
          variable,
        ) => [`\`${variable}\``, `\`--${name}\`, when \`${variableOf(name)}\` is not set`])
      ),
    ]),
  "exit codes": () =>
    table(["Exit code", "Meaning"], [
      ...Object.values(EXIT_CODES).map(({ value, meaning }) => [String(value), meaning]),
    ]),
};

function names<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[];
}

function commandFlags(name: CommandName): string {
  const { flags, required, oneOf } = commandOf(name);
  if (flags.length === 0) return "No flags.";
  const need = (flag: FlagName) =>
    required.includes(flag) ? "required" : oneOf.includes(flag) ? "one of these" : "";
  return table(["Flag", "Value", "Default", "Meaning"], [
    ...flags.map((flag) => {
      const { kind, value, choices, range, description, ...rest } = flagOf(flag);
      const takes = choices?.map((choice) => `\`${choice}\``).join(", ") ??
        (kind === "switch" ? "" : `${value}${kind === "list" ? " …" : ""}`);
      const bounds = range ? `, ${range.min} to ${range.max}` : "";
      return [
        `\`--${flag}\``,
        takes + bounds,
        rest.default === undefined ? need(flag) : `\`${rest.default}\``,
        description,
      ];
    }),
  ]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** `text` with every marked part written anew; throws when a part of the table has no place. */
export function withGeneratedParts(text: string): string {
  let result = text;
  for (const [name, generate] of Object.entries(PARTS)) {
    const begin = `<!-- generated: ${name} -->`;
    const end = "<!-- end -->";
    const start = result.indexOf(begin);
    const stop = result.indexOf(end, start);
    if (start < 0 || stop < 0) throw new Error(`commands.md has no place for "${name}"`);
    result = `${result.slice(0, start)}${begin}\n\n${generate()}\n\n${result.slice(stop)}`;
  }
  return result;
}

/** The file as `deno fmt` leaves it, so that formatting and generating agree. */
async function formatted(text: string): Promise<string> {
  const formatter = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = formatter.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return new TextDecoder().decode((await formatter.output()).stdout);
}

if (import.meta.main) {
  const text = await Deno.readTextFile(FILE);
  const wanted = await formatted(withGeneratedParts(text));
  if (Deno.args[0] !== "--check") await Deno.writeTextFile(FILE, wanted);
  else if (wanted !== text) {
    console.error("commands.md is not in step with src/cli/flags/flags.ts: run make reference");
    Deno.exit(1);
  }
}
