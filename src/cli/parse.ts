/**
 * From the command line to a command and its flags' values, by the flag table.
 *
 * @module
 */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { HelperError } from "../errors.ts";
import { FlagValues } from "./flag_values.ts";
import {
  type CommandName,
  commandOf,
  commandsOfGroup,
  type FlagName,
  flagOf,
  FLAGS,
} from "./flags.ts";
import { findCommand, unknown } from "./find_command.ts";
import { PROGRAM } from "./program.ts";

/** What the command line asks for. */
export type Request =
  | { readonly kind: "help"; readonly command?: CommandName }
  /** Help of the commands that begin with this word. */
  | { readonly kind: "help"; readonly group: string }
  | { readonly kind: "run"; readonly command: CommandName; readonly values: FlagValues };

type Token = ReturnType<typeof tokenize>[number];
type OptionToken = Extract<Token, { kind: "option" }>;

/**
 * Parses `argv` (without the program). No command, `help` and `--help` ask for help; `--version`
 * for the version.
 *
 * Throws `usage` for an unknown command or flag, a stray argument, and what {@link FlagValues}
 * refuses.
 */
export async function parseArguments(
  argv: readonly string[],
  environment: (name: string) => string | undefined,
): Promise<Request> {
  const [first, ...others] = argv;
  if (first === undefined || HELP.test(first)) return await helpRequest(others);
  const [, second = ""] = argv;
  if (commandsOfGroup(first).length > 0 && HELP.test(second)) return helpOfGroup(first);
  const { command, rest } = await findCommand(argv);
  const tokens = tokenize(command, rest);
  if (tokens.some((token) => token.kind === "option" && token.name === "help")) {
    return { kind: "help", command };
  }
  const given = await readTokens(command, tokens);
  return { kind: "run", command, values: new FlagValues(command, given, environment) };
}

const HELP = /^(help|--help|-h)$/;

async function helpRequest(words: readonly string[]): Promise<Request> {
  const [word, ...more] = words;
  if (word === undefined) return { kind: "help" };
  if (more.length === 0 && commandsOfGroup(word).length > 0) return helpOfGroup(word);
  const { command, rest } = await findCommand(words);
  if (rest.length > 0) throw leftOver(rest[0] ?? "", false);
  return { kind: "help", command };
}

function helpOfGroup(group: string): Request {
  return { kind: "help", group };
}

function tokenize(command: CommandName, args: readonly string[]) {
  const options: NonNullable<ParseArgsConfig["options"]> = {
    help: { type: "boolean", short: "h" },
  };
  for (const name of commandOf(command).flags) {
    options[name] = { type: flagOf(name).kind === "switch" ? "boolean" : "string" };
  }
  return parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens;
}

async function readTokens(
  command: CommandName,
  tokens: readonly Token[],
): Promise<Map<FlagName, string | string[] | boolean>> {
  const { flags, argument } = commandOf(command);
  const given = new Map<FlagName, string | string[] | boolean>();
  let openList: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (openList) openList.push(token.value);
      else if (argument && !given.has(argument)) given.set(argument, token.value);
      else throw leftOver(token.value, hasSecret(tokens));
      continue;
    }
    openList = undefined;
    if (token.kind === "option-terminator") continue;
    const { name } = token;
    if (!isFlagName(name) || !flags.includes(name) || token.rawName !== `--${name}`) {
      throw await unknown("flag", token.rawName, flags.map((flag) => `--${flag}`));
    }
    if (flagOf(name).kind === "switch") {
      given.set(name, token.value ?? true);
      continue;
    }
    const value = valueOf(name, token);
    if (flagOf(name).kind !== "list") {
      given.set(name, value);
      continue;
    }
    const known = given.get(name);
    openList = Array.isArray(known) ? known : [];
    openList.push(value);
    given.set(name, openList);
  }
  return given;
}

function valueOf(name: FlagName, { value, inlineValue }: OptionToken): string {
  if (value === undefined) {
    throw new HelperError("usage", `--${name} has no value; see ${PROGRAM} --help`);
  }
  const next = /^--([a-z0-9-]+)/.exec(value)?.[1];
  if (!inlineValue && next !== undefined && isFlagName(next)) {
    throw new HelperError("usage", `--${name} has no value; it is followed by --${next}`);
  }
  return value;
}

/** Whether a secret stands on the command line: an argument left over may be a part of it. */
function hasSecret(tokens: readonly Token[]): boolean {
  return tokens.some((token) =>
    token.kind === "option" && isFlagName(token.name) && flagOf(token.name).kind === "secret"
  );
}

function leftOver(argument: string, maybeSecret: boolean): HelperError {
  return new HelperError(
    "usage",
    `an argument${maybeSecret ? "" : ` "${argument}"`} is left over; ` +
      `quote values that hold spaces; see ${PROGRAM} --help`,
  );
}

function isFlagName(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}
