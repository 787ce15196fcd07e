/**
 * The values of a command's flags: from the command line, then from each flag's own variable, then
 * from other programs' variables, then from the table's defaults.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import {
  type CommandName,
  commandOf,
  EXCLUSIONS,
  type FlagName,
  flagOf,
  variableOf,
} from "./flags.ts";

/** What the command line gave: text, several texts, or a switch. */
export type GivenValues = ReadonlyMap<FlagName, string | readonly string[] | boolean>;

interface Value {
  readonly texts: readonly string[];
  /** How a message names where the value came from. */
  readonly source: string;
  /** From another program's variable: taken as it stands, and yields to exclusions. */
  readonly ambient: boolean;
}

/** The values of one run. */
export class FlagValues {
  readonly #values = new Map<FlagName, Value>();

  /**
   * Gathers and checks all values.
   *
   * Throws `usage` for values out of range, flags that exclude each other, and what is missing; the
   * sentence names the flags, and the variable where one gave the value.
   */
  constructor(
    readonly command: CommandName,
    given: GivenValues,
    environment: (name: string) => string | undefined,
  ) {
    for (const name of commandOf(command).flags) {
      const value = gather(name, given, environment);
      if (value) this.#values.set(name, value);
    }
    this.#checkValues();
    this.#checkExclusions();
    this.#checkRequired();
  }

  /** The text of a flag, or its default; undefined when there is neither. */
  text(name: FlagName): string | undefined {
    const fallback = flagOf(name).default;
    return this.#values.get(name)?.texts[0] ??
      (fallback === undefined ? undefined : String(fallback));
  }

  /** The text of a flag where it was given to this program: no other's variable, no default. */
  given(name: FlagName): string | undefined {
    const value = this.#values.get(name);
    return value?.ambient ? undefined : value?.texts[0];
  }

  /** The text of a flag that the table says is required. */
  required(name: FlagName): string {
    const text = this.text(name);
    if (text === undefined) throw missing([name]);
    return text;
  }

  /** All arguments of a list flag; undefined when it was not given. */
  list(name: FlagName): readonly string[] | undefined {
    return this.#values.get(name)?.texts;
  }

  /** The value of a number flag. */
  integer(name: FlagName): number {
    return Number(this.required(name));
  }

  /** Returns true when a switch is on. */
  isOn(name: FlagName): boolean {
    return SWITCH_WORDS.get((this.text(name) ?? "false").toLowerCase()) ?? false;
  }

  /** A secret flag's value: a source to resolve, or (`literal`) the secret itself. */
  secretSource(name: FlagName): { text: string; literal: boolean } | undefined {
    const value = this.#values.get(name);
    const text = value?.texts[0];
    return value && text !== undefined ? { text, literal: value.ambient } : undefined;
  }

  /**
   * Returns true when the command line or the flag's own variable set a value that is not the
   * default of a switch.
   */
  isGivenForThis(name: FlagName): boolean {
    const { kind, default: usual } = flagOf(name);
    const changes = kind !== "switch" || this.isOn(name) !== (usual === "true");
    return changes && this.#values.get(name)?.ambient === false;
  }

  #checkValues(): void {
    for (const [name, { texts, source }] of this.#values) {
      const { kind, range, choices } = flagOf(name);
      for (const text of texts) {
        if (kind === "integer" && range) {
          const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
          if (!(number >= range.least && number <= range.most)) {
            throw new HelperError(
              "usage",
              `${source} is "${text}"; it must be a whole number of ${range.least} to ${range.most}`,
            );
          }
        }
        if (choices && !choices.includes(text)) {
          throw new HelperError(
            "usage",
            `${source} is "${text}"; it must be one of ${choices.join(", ")}`,
          );
        }
        if (kind === "switch" && !SWITCH_WORDS.has(text.toLowerCase())) {
          // Not shown: a PIN or password may have been given to the wrong flag.
          throw new HelperError("usage", `${source} takes no value but true or false`);
        }
      }
    }
  }

  #checkExclusions(): void {
    for (const { flags: [a, b], commands, unless } of EXCLUSIONS) {
      if (commands && !commands.includes(this.command)) continue;
      if (!this.#isGiven(a) || !this.#isGiven(b) || (unless && this.#isGiven(unless))) continue;
      const ambient = [a, b].find((name) => this.#values.get(name)?.ambient);
      if (ambient) {
        this.#values.delete(ambient);
        continue;
      }
      throw new HelperError(
        "usage",
        `${this.sourceOf(a)} and ${this.sourceOf(b)} cannot be used together`,
      );
    }
  }

  #checkRequired(): void {
    const { required, oneOf } = commandOf(this.command);
    const absent = required.filter((name) => !this.#isGiven(name));
    if (absent.length > 0) throw missing(absent);
    if (oneOf.length > 0 && !oneOf.some((name) => this.#isGiven(name))) {
      throw new HelperError(
        "usage",
        `${this.command} needs ${oneOf.map((name) => `--${name}`).join(" or ")}`,
      );
    }
  }

  /** Whether the command line gave the flag, and not a variable. */
  isOnCommandLine(name: FlagName): boolean {
    return this.#values.get(name)?.source === `--${name}`;
  }

  /** How messages name where the flag's value came from: the flag, and the variable if one gave it. */
  sourceOf(name: FlagName): string {
    return this.#values.get(name)?.source ?? `--${name}`;
  }

  #isGiven(name: FlagName): boolean {
    return flagOf(name).kind === "switch" ? this.isOn(name) : this.#values.has(name);
  }
}

const SWITCH_WORDS = new Map([["true", true], ["1", true], ["false", false], ["0", false]]);

function missing(names: readonly FlagName[]): HelperError {
  const flags = names.map((name) => {
    const { choices } = flagOf(name);
    return `--${name}${choices ? ` (one of ${choices.join(", ")})` : ""}`;
  }).join(", ");
  return new HelperError("usage", `${flags} ${names.length === 1 ? "is" : "are"} missing`);
}

function gather(
  name: FlagName,
  given: GivenValues,
  environment: (name: string) => string | undefined,
): Value | undefined {
  const value = given.get(name);
  if (value !== undefined) {
    const texts = Array.isArray(value) ? value : [String(value)];
    return { texts, source: `--${name}`, ambient: false };
  }
  for (const variable of [variableOf(name), ...flagOf(name).otherVariables ?? []]) {
    const text = environment(variable);
    if (!text) continue; // an empty variable is one that is not set
    const ambient = variable !== variableOf(name);
    return { texts: [text], source: `--${name} (from ${variable})`, ambient };
  }
  return undefined;
}
