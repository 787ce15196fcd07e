/**
 * Parses the command line into a command and its flags' values, by the flag table.
 *
 * @module
 */
import { HelperError, refusedValue } from "../../errors.ts";
import { findCommand, mistypedFlagError, seeHelp, unknownFlagError } from "./find_command.ts";
import { FlagValues, type Settings } from "./flag_values.ts";
import {
  type CommandName,
  commandOf,
  commandsOfGroup,
  type FlagName,
  flagOf,
  isCommandName,
  isFlagName,
} from "./flags.ts";
import { type Token, tokenize } from "./tokens.ts";

/** A parsed command line. */
export type Request =
  | { readonly kind: "help"; readonly command?: CommandName }
  /** Help of the commands that begin with this word. */
  | { readonly kind: "help"; readonly group: string }
  | { readonly kind: "run"; readonly command: CommandName; readonly values: FlagValues };

type OptionToken = Extract<Token, { kind: "option" }>;

/**
 * Parses `argv` (without the program). Flags may come before the command. No arguments, `help` and
 * `--help` request help; `--version` requests the version. `readSettings` is called for commands that
 * use the network.
 *
 * Throws `usage` for an unknown command or flag, an unexpected argument, and what {@link FlagValues}
 * rejects.
 */
export async function parseArguments(
  argv: readonly string[],
  environment: (name: string) => string | undefined,
  readSettings: () => Promise<Settings> = () => Promise.resolve(new Map()),
): Promise<Request> {
  const { leading, words } = splitLeadingFlags(argv);
  const [first, second = ""] = words;
  if (first === undefined) {
    if (leading.length === 0) return { kind: "help" };
    throw new HelperError("usage", `no command was given; ${seeHelp()}`);
  }
  if (HELP.test(first)) return await readHelpRequest(words.slice(1));
  if (commandsOfGroup(first).length > 0 && HELP.test(second)) return groupHelpRequest(first);
  const { command, rest } = await findCommand(words, leading.some(isSecretFlag));
  const tokens = [...tokensOf(command, leading), ...tokensOf(command, rest)];
  if (tokens.some((token) => token.kind === "option" && token.name === "help")) {
    return { kind: "help", command };
  }
  const given = await readTokens(command, tokens);
  const settings = commandOf(command).usesNetwork ? await readSettings() : undefined;
  return { kind: "run", command, values: new FlagValues(command, given, environment, settings) };
}

/** Splits off the flags, with their values, that come before the command. */
function splitLeadingFlags(
  argv: readonly string[],
): { leading: readonly string[]; words: readonly string[] } {
  let at = 0;
  for (; at < argv.length; at++) {
    const [, name = "", value] = /^--([^=]+)(=.*)?$/s.exec(argv[at] ?? "") ?? [];
    if (!isFlagName(name)) break;
    const { kind } = flagOf(name);
    if (kind === "switch" || value !== undefined) continue;
    at++;
    while (kind === "list" && !endsList(argv[at + 1] ?? "-")) at++;
  }
  return { leading: argv.slice(0, at), words: argv.slice(at) };
}

function endsList(word: string): boolean {
  return word.startsWith("-") || isCommandName(word) || commandsOfGroup(word).length > 0;
}

function isSecretFlag(word: string): boolean {
  const name = /^--([^=]+)/.exec(word)?.[1] ?? "";
  return isFlagName(name) && flagOf(name).kind === "secret";
}

const HELP = /^(help|--help|-h)$/;

async function readHelpRequest(words: readonly string[]): Promise<Request> {
  const [word, ...more] = words;
  if (word === undefined || (more.length === 0 && HELP.test(word))) return { kind: "help" };
  if (more.length === 0 && commandsOfGroup(word).length > 0) return groupHelpRequest(word);
  const { command, rest } = await findCommand(words);
  if (rest.length > 0) throw unexpectedArgumentError(rest[0] ?? "", command, false);
  return { kind: "help", command };
}

function groupHelpRequest(group: string): Request {
  return { kind: "help", group };
}

/** Splits `args` by the flags of `command`. */
function tokensOf(command: CommandName, args: readonly string[]): Token[] {
  const { flags } = commandOf(command);
  return tokenize(
    args,
    (name) => isFlagName(name) && flags.includes(name) && flagOf(name).kind !== "switch",
  );
}

async function readTokens(
  command: CommandName,
  tokens: readonly Token[],
): Promise<Map<FlagName, string | string[] | boolean>> {
  const { flags, positional } = commandOf(command);
  const given = new Map<FlagName, string | string[] | boolean>();
  let openList: string[] | undefined;
  let lastSwitch: FlagName | undefined;
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (lastSwitch && /^(?:true|false|[01])$/.test(token.value)) {
        throw new HelperError(
          "usage",
          `--${lastSwitch} takes no value after a space; write --${lastSwitch}=${token.value}`,
        );
      }
      if (openList) openList.push(token.value);
      else if (positional && !given.has(positional)) given.set(positional, token.value);
      else throw unexpectedArgumentError(token.value, command, hasSecret(tokens));
      continue;
    }
    openList = undefined;
    lastSwitch = undefined;
    if (token.kind === "option-terminator") continue;
    const { name } = token;
    if (!isFlagName(name) || !flags.includes(name) || token.rawName !== `--${name}`) {
      throw await unknownFlagError(token.argument, command);
    }
    if (flagOf(name).kind === "switch") {
      given.set(name, token.value ?? true);
      lastSwitch = name;
      continue;
    }
    const value = readOptionValue(name, token, command);
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

function readOptionValue(
  name: FlagName,
  { value, inlineValue }: OptionToken,
  command: CommandName,
): string {
  if (value === undefined) {
    throw new HelperError("usage", `--${name} has no value; ${seeHelp(command)}`);
  }
  const next = /^--([a-z0-9-]+)/.exec(value)?.[1];
  if (!inlineValue && next !== undefined && isFlagName(next)) {
    throw new HelperError(
      "usage",
      `--${name} has no value; it is followed by --${next}; ${seeHelp(command)}`,
    );
  }
  return value;
}

/** Returns true if a secret is on the command line: an unexpected argument may be part of it. */
function hasSecret(tokens: readonly Token[]): boolean {
  return tokens.some((token) =>
    token.kind === "option" && isFlagName(token.name) && flagOf(token.name).kind === "secret"
  );
}

function unexpectedArgumentError(
  argument: string,
  command: CommandName,
  maybeSecret: boolean,
): HelperError {
  return mistypedFlagError(argument, command) ?? new HelperError(
    "usage",
    `unexpected argument${maybeSecret ? "" : refusedValue(argument)}; ` +
      `quote values that contain spaces; ${seeHelp(command)}`,
  );
}
