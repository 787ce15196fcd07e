/**
 * The text of `--help`, from the flag table.
 *
 * @module
 */
import {
  type CommandName,
  commandOf,
  COMMANDS,
  commandsOfGroup,
  type Flag,
  type FlagName,
  flagOf,
  type GroupName,
  variableOf,
} from "./flags.ts";
import { PROGRAM } from "../program.ts";

/** Title of each group that commands share, in the order of help. */
export const GROUPS: Readonly<Record<Exclude<GroupName, "command">, string>> = {
  key: "Key and certificate",
  session: "Session",
  network: "Network",
  store: "Windows and macOS stores",
  token: "PKCS#11 tokens",
  tpm: "TPM",
  general: "General",
};

const SERVICE = "Session and network";
const KEYSTORES = "Stores, tokens and TPM";

/** Titles in help. Its lines are few, so that related groups share a heading. */
export const HELP_TITLES: typeof GROUPS = {
  ...GROUPS,
  session: SERVICE,
  network: SERVICE,
  store: KEYSTORES,
  token: KEYSTORES,
  tpm: KEYSTORES,
};

/** Columns of a help text: the width of a usual terminal. */
const WIDTH = 80;
/** Columns of the left column; a longer flag is followed by its description, or has it on the next line. */
const MAX_INDENT = 32;

const CERTIFICATE_AND_KEY = "--certificate cert.pem --private-key key.pem";
const ARNS = '--role-arn "$ROLE" --profile-arn "$PROFILE" --trust-anchor-arn "$ANCHOR"';

/** The flags of each command's example, in the syntax of sh. */
export const EXAMPLES: Readonly<Record<CommandName, string>> = {
  "credential-process": `${CERTIFICATE_AND_KEY} ${ARNS}`,
  "update": `--profile build ${CERTIFICATE_AND_KEY} ${ARNS}`,
  "serve": `${CERTIFICATE_AND_KEY} ${ARNS}`,
  "sign-string": "--private-key key.pem --format text",
  "read-certificate-data": "--certificate cert.pem",
  "selftest": CERTIFICATE_AND_KEY,
  "cache clear": "",
  "configure": `--write --profile build --cache ${CERTIFICATE_AND_KEY} ${ARNS}`,
  "doctor": "--profile build",
  "health": "",
  "completions": "bash",
  "version": "",
};

/** Flags under one heading. */
export interface FlagGroup {
  readonly title: string;
  /** The group of the table; undefined for the flags that are required. */
  readonly name?: GroupName;
  readonly flags: readonly FlagName[];
}

/**
 * Returns a command's flags, each in one group: its own, those that are required, then the groups of
 * the table. The flag that is given as an argument is in none.
 */
export function flagGroups(command: CommandName): readonly FlagGroup[] {
  const { flags, required, oneOf, positional } = commandOf(command);
  const isRequired = (flag: FlagName) => required.includes(flag) || oneOf.includes(flag);
  const listed = flags.filter((flag) => flag !== positional);
  const group = (title: string, name: GroupName) => ({
    title,
    name,
    flags: listed.filter((flag) => flagOf(flag).group === name && !isRequired(flag)),
  });
  return [
    group(`Flags of ${command}`, "command"),
    { title: "Required", flags: listed.filter(isRequired) },
    ...Object.entries(GROUPS).map(([name, title]) => group(title, name as GroupName)),
  ].filter(({ flags }) => flags.length > 0);
}

/** Returns the help of the program, or of one command. */
export function helpText(command?: CommandName): string {
  return command === undefined ? programHelp() : commandHelp(command);
}

/** Returns the help of the commands that begin with the word `group`. */
export function groupHelpText(group: string): string {
  return sections([
    `Usage: ${PROGRAM} ${group} <command> [flags]`,
    list("Commands", commandsOfGroup(group).map((name) => [name, commandOf(name).summary])),
  ]);
}

function programHelp(): string {
  return sections([
    `Usage: ${PROGRAM} <command> [flags]`,
    "Temporary AWS credentials from an X.509 certificate, by IAM Roles Anywhere.",
    list("Commands", [
      ...Object.keys(COMMANDS).map((name) => [name, commandOf(name as CommandName).summary]),
      ["help <command>", "show a command's flags; so does <command> --help"],
    ]),
    `${VARIABLES}\n${SECRETS}\nDocumentation: man ${PROGRAM}, or commands.md`,
  ]);
}

function commandHelp(name: CommandName): string {
  const { summary, flags, required, oneOf } = commandOf(name);
  const note = (flag: FlagName) =>
    required.length > 0 && oneOf.length > 1 && oneOf.includes(flag) ? " *" : "";
  const groups = flagGroups(name);
  const rows = (flagNames: readonly FlagName[]) =>
    flagNames.map((flag): Row => [
      `--${flag}${valueText(flagOf(flag, name))}`,
      `${describe(flagOf(flag, name))}${note(flag)}`,
    ]);
  const lists: [string, Row[]][] = [];
  for (const group of groups) {
    const title = helpTitle(group, name);
    const last = lists.at(-1);
    if (last?.[0] === title) last[1].push(...rows(group.flags));
    else lists.push([title, rows(group.flags)]);
  }
  if (groups.at(-1)?.name !== "general") lists.push([GROUPS.general, []]);
  lists.at(-1)?.[1].push(["-h, --help", "show this help"]);
  const indent = indentOf(lists.flatMap(([, rows]) => rows));
  return sections([
    `${usage(name)}\n${wrap(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`, WIDTH).join("\n")}`,
    lists.map(([title, rows]) => list(title, rows, indent)).join("\n"),
    `Example:\n${example(name)}`,
    [
      ...(flags.some((flag) => flagOf(flag).kind === "secret") ? [SOURCES] : []),
      `Documentation: man ${PROGRAM}-${name.replaceAll(" ", "-")}, or commands.md`,
    ].join("\n"),
  ]);
}

const VARIABLES = `Each flag has a variable: ${variableOf("role-arn")} for --role-arn.`;
/** Both in one line, because a command has many flags. */
const SOURCES = `Variables: ${variableOf("role-arn")} etc. Secrets: env:NAME, file:PATH, fd:N.`;
const SECRETS = "Secrets: env:NAME, file:PATH or fd:N; plain text is in the process list.";

function helpTitle({ name: group, title }: FlagGroup, command: CommandName): string {
  if (!group) return `${title}${choiceText(command)}`;
  return group === "command" ? title : HELP_TITLES[group];
}

/** Returns the note to the heading of required flags: those that others make unnecessary. */
function choiceText(name: CommandName): string {
  const { required, oneOf, suppliedBy } = commandOf(name);
  if (oneOf.length <= 1) return "";
  if (required.length === 0) return " (one of these)";
  return ` (one of those with *${suppliedBy ? `; --${suppliedBy} replaces --role-arn` : ""})`;
}

/** Returns the first line of a command's help. */
function usage(name: CommandName): string {
  const { flags, positional } = commandOf(name);
  const rest = positional ? valueText(flagOf(positional)) : flags.length > 0 ? " [flags]" : "";
  return `Usage: ${PROGRAM} ${name}${rest}`;
}

function example(name: CommandName): string {
  return wrapShell(`${PROGRAM} ${name} ${EXAMPLES[name]}`.trim(), WIDTH - 4).join(" \\\n    ")
    .replace(/^/, "  ");
}

/** Returns ` VALUE` as help shows it; nothing for a switch. */
function valueText({ choices, value, kind }: Flag): string {
  const text = choices?.join("|") ?? value;
  return text === undefined ? "" : ` ${text}${kind === "list" ? "…" : ""}`;
}

function describe({ description, range, ...flag }: Flag): string {
  const notes = [
    range ? `${range.min} to ${range.max}` : "",
    flag.default === undefined ? "" : `default ${flag.default}`,
  ].filter((note) => note !== "");
  return notes.length === 0 ? description : `${description} (${notes.join(", ")})`;
}

function sections(texts: readonly string[]): string {
  return `${texts.join("\n\n")}\n`;
}

type Row = readonly [left: string, right: string];

/** Returns the width of the left column: that of its longest text, up to a limit. */
function indentOf(rows: readonly (readonly string[])[]): number {
  const widths = rows.map(([left = ""]) => left.length + 4);
  return Math.max(...widths.filter((width) => width <= MAX_INDENT));
}

/** Returns a heading and two columns, the second wrapped. */
function list(
  title: string,
  rows: readonly (readonly string[])[],
  indent = indentOf(rows),
): string {
  const margin = `\n${" ".repeat(indent)}`;
  const lines = rows.map(([left = "", right = ""]) => {
    if (left.length + 4 > indent && left.length + right.length + 4 <= WIDTH) {
      return `  ${left}  ${right}`;
    }
    const lead = left.length + 4 > indent ? `  ${left}${margin}` : `  ${left}`.padEnd(indent);
    return lead + wrap(right, WIDTH - indent).join(margin);
  });
  return [`${title}:`, ...lines].join("\n");
}

function wrap(text: string, width: number): string[] {
  return joined(text.split(" "), width);
}

/** Wraps a command line between flags, so that a flag and its value are on one line. */
function wrapShell(line: string, width: number): string[] {
  return joined(line.split(/ (?=--)/), width);
}

function joined(parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + part.length > width) lines.push(part);
    else lines[lines.length - 1] = `${line} ${part}`;
  }
  return lines;
}
