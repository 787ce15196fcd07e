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
  type GroupName,
  variableOf,
} from "../src/cli/flags/flags.ts";
import { GROUPS } from "../src/cli/flags/help.ts";
import { EXIT_CODES } from "../src/errors.ts";

const FILE = new URL("../commands.md", import.meta.url);

/** Each generated part, by the name in its marks. */
export const PARTS: Readonly<Record<string, () => string>> = {
  commands: () =>
    table(["Command", "Task"], [
      ...names(COMMANDS).map((name) => [link(name), commandOf(name).summary]),
    ]),
  ...Object.fromEntries(
    names(COMMANDS).map((name) => [`flags of ${name}`, () => commandFlags(name)]),
  ),
  ...Object.fromEntries(
    names(GROUPS).map((group) => [
      `${group} flags`,
      () => flagTable(names(FLAGS).filter((name) => flagOf(name).group === group)),
    ]),
  ),
  "findings of doctor": () =>
    table(["Finding", "Level", "Meaning"], [
      ...Object.entries(FINDINGS).map((
        [name, [level, meaning]],
      ) => [`\`${name}\``, level, meaning]),
    ]),
  exclusions: () =>
    table(["Flags", "Exception"], [
      ...EXCLUSIONS.map(({ flags: [a, b], commands, unless }) => [
        `\`--${a}\`, \`--${b}\``,
        commands
          ? `only under \`${commands.join("`, `")}\``
          : unless
          ? `allowed with \`--${unless}\``
          : "",
      ]),
    ]),
  secrets: () =>
    table(["Flag", "Group", "Variable with the secret itself"], [
      ...names(FLAGS).filter((name) => flagOf(name).kind === "secret").map((name) => [
        `\`--${name}\``,
        groupLink(flagOf(name).group),
        (flagOf(name).envAliases ?? []).map((variable) => `\`${variable}\``).join(", "),
      ]),
    ]),
  environment: () =>
    table(["Variable", "Replaces"], [
      ...names(FLAGS).flatMap((name) =>
        (flagOf(name).envAliases ?? []).map((variable) => [
          `\`${variable}\``,
          `\`--${name}\`, if \`${variableOf(name)}\` is not set${exceptions(name, variable)}`,
        ])
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

/** Returns the commands that have the flag, but do not read the variable for it. */
function exceptions(flag: FlagName, variable: string): string {
  const others = names(COMMANDS).filter((command) =>
    commandOf(command).flags.includes(flag) &&
    !flagOf(flag, command).envAliases?.includes(variable)
  );
  return others.length > 0 ? `; not for ${codes(others)}` : "";
}

/** Returns the fragment of a heading, as GitHub makes it. */
export function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^a-z0-9 _-]/g, "").replaceAll(" ", "-");
}

function link(name: CommandName): string {
  return `[\`${name}\`](#${anchor(name)})`;
}

function groupLink(group: GroupName): string {
  return group === "command" ? "" : `[${GROUPS[group]}](#${anchor(GROUPS[group])})`;
}

/** Returns a command's own flags in a table, and the rest of its flags by reference. */
function commandFlags(name: CommandName): string {
  const { flags, required, suppliedBy, oneOf, positional } = commandOf(name);
  if (positional) return `- Argument: ${codes(flagOf(positional).choices ?? [])}.`;
  if (flags.length === 0) return "No flags.";
  const own = flags.filter((flag) => flagOf(flag, name).group === "command");
  const described = own.filter((flag) => describedBy(flag, name) === name);
  const elsewhere = own.filter((flag) => !described.includes(flag));
  const origins = new Set(elsewhere.map((flag) => describedBy(flag, name)));
  const notes = [
    ...(required.length > 0
      ? [
        `Required: ${flagCodes(required)}${
          suppliedBy ? `, or values in the file of ${flagCodes([suppliedBy])}` : ""
        }`,
      ]
      : []),
    ...(oneOf.length > 0 ? [`Required: one of ${flagCodes(oneOf)}`] : []),
    ...[...origins].map((origin) => {
      const flags = elsewhere.filter((flag) => describedBy(flag, name) === origin);
      return `Also ${flagCodes(flags)} of ${link(origin)}`;
    }),
    ...groupReferences(flags),
  ];
  return [
    ...(described.length > 0 ? [flagTable(described, name)] : []),
    ...(notes.length > 0 ? [notes.map((note) => `- ${note}.`).join("\n")] : []),
  ].join("\n\n");
}

/** Returns the command that describes a flag: one with a meaning of its own, or the first with it. */
function describedBy(flag: FlagName, command: CommandName): CommandName {
  if (commandOf(command).variants?.[flag]) return command;
  return names(COMMANDS).find((name) =>
    commandOf(name).flags.includes(flag) && !commandOf(name).variants?.[flag]
  ) ?? command;
}

/** Returns links to the groups of flags that a command has, with the flags that it does not have. */
function groupReferences(flags: readonly FlagName[]): string[] {
  const groups = names(GROUPS).map((group) => {
    const all = names(FLAGS).filter((name) => flagOf(name).group === group);
    const present = all.filter((name) => flags.includes(name));
    return { group, all, present, absent: all.filter((name) => !flags.includes(name)) };
  });
  if (groups.every(({ absent }) => absent.length === 0)) {
    return ["All [common flags](#common-flags)"];
  }
  return groups.filter(({ present }) => present.length > 0).map(({ group, present, absent }) => {
    const place = groupLink(group);
    if (absent.length === 0) return place;
    return absent.length < present.length
      ? `${place} without ${flagCodes(absent)}`
      : `${flagCodes(present)} of ${place}`;
  });
}

function codes(texts: readonly string[]): string {
  return texts.map((text) => `\`${text}\``).join(", ");
}

function flagCodes(flags: readonly FlagName[]): string {
  return codes(flags.map((flag) => `--${flag}`));
}

function flagTable(flags: readonly FlagName[], command?: CommandName): string {
  return table(["Flag", "Value", "Default", "Meaning"], [
    ...flags.map((flag) => {
      const { kind, value, choices, range, description, ...rest } = flagOf(flag, command);
      const takes = choices?.map((choice) => `\`${choice}\``).join(", ") ??
        (kind === "switch" ? "" : `${value}${kind === "list" ? " …" : ""}`);
      const bounds = range ? `, ${range.min} to ${range.max}` : "";
      const usual = rest.default === undefined ? "" : `\`${rest.default}\``;
      return [flagCodes([flag]), takes + bounds, usual, description];
    }),
  ]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `|${cells.map((cell) => cell && ` ${cell.replaceAll("|", "\\|")}`).join(" |")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Returns `text` with every marked part replaced; throws if a part of the table has no place. */
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

if (import.meta.main) {
  const text = await Deno.readTextFile(FILE);
  const wanted = withGeneratedParts(text);
  if (Deno.args[0] !== "--check") await Deno.writeTextFile(FILE, wanted);
  else if (wanted !== text) {
    console.error("commands.md is not in step with src/cli/flags/flags.ts: run make reference");
    Deno.exit(1);
  }
}
