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
  variableOf,
} from "./flags.ts";
import { PROGRAM } from "../program.ts";

/** Columns of a help text. */
const WIDTH = 100;

/** The help of the program, or of one command. */
export function helpText(command?: CommandName): string {
  return command === undefined ? programHelp() : commandHelp(command);
}

/** The help of the commands that begin with the word `group`. */
export function groupHelpText(group: string): string {
  return sections([
    `Usage: ${PROGRAM} ${group} <command> [flags]`,
    list("Commands:", commandsOfGroup(group).map((name) => [name, commandOf(name).summary])),
  ]);
}

function programHelp(): string {
  return sections([
    `Usage: ${PROGRAM} <command> [flags]`,
    "Temporary AWS credentials from an X.509 certificate, by IAM Roles Anywhere.",
    list("Commands:", [
      ...Object.keys(COMMANDS).map((name) => [name, commandOf(name as CommandName).summary]),
      ["help <command>", "show the flags of a command; so does <command> --help"],
    ]),
    NOTES,
  ]);
}

function commandHelp(name: CommandName): string {
  const { summary, flags, required, oneOf, positional: alone } = commandOf(name);
  const note = (flag: FlagName) =>
    required.includes(flag) ? "; required" : oneOf.includes(flag) && oneOf.length > 1 ? " *" : "";
  return sections([
    `Usage: ${PROGRAM} ${name}${alone ? ` <${alone}>` : flags.length > 0 ? " [flags]" : ""}`,
    `${summary[0]?.toUpperCase()}${summary.slice(1)}.`,
    list("Flags:", [
      ...flags.map((flag) => [
        `--${flag}${argument(flagOf(flag))}`,
        `${describe(flagOf(flag))}${note(flag)}`,
      ]),
      ["-h, --help", "show this help"],
    ]),
    ...(oneOf.length > 1 ? ["* one of these is required"] : []),
    ...(flags.length > 0 ? [NOTES] : []),
  ]);
}

const NOTES = `Every flag can also be given by a variable: ${
  variableOf("role-arn")
} stands for --role-arn.
A secret can be given as env:NAME, file:PATH or fd:N, so that it does not stand in the process list.`;

function argument(flag: Flag): string {
  const value = flag.choices?.join("|") ?? flag.value;
  return value === undefined ? "" : ` <${value}>${flag.kind === "list" ? "…" : ""}`;
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

/** Two columns, the second wrapped. */
function list(title: string, rows: readonly (readonly string[])[]): string {
  const indent = Math.max(...rows.map(([left = ""]) => left.length)) + 4;
  const lines = rows.map(([left = "", right = ""]) =>
    `  ${left}`.padEnd(indent) + wrap(right, WIDTH - indent).join(`\n${" ".repeat(indent)}`)
  );
  return [title, ...lines].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
