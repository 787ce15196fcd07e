/**
 * Values of a command's flags. Order of precedence: the command line, the flag's own variable, other
 * programs' variables, AWS's configuration file, the table's default. An empty value counts as
 * missing, except for secrets.
 *
 * @module
 */
import { HelperError, refusedValue } from "../../errors.ts";
import { seeHelp } from "./find_command.ts";
import {
  type CommandName,
  commandOf,
  EXCLUSIONS,
  type FlagName,
  flagOf,
  variableOf,
} from "./flags.ts";

/** Values from the command line: a text, several texts, or a switch. */
export type GivenValues = ReadonlyMap<FlagName, string | readonly string[] | boolean>;

/** A value from the configuration file of AWS SDKs. */
export interface Setting {
  readonly text: string;
  /** Names the setting and its file, for messages. */
  readonly source: string;
}

/** The settings of the configuration file, by the flag that they replace. */
export type Settings = ReadonlyMap<FlagName, Setting>;

/** Precedence of a value's source; a lower rank wins. */
const RANK = { flag: 0, own: 1, other: 2, file: 3 } as const;

/** A value that another file has for a flag. */
export interface SuppliedValue {
  readonly texts: readonly string[];
  /** Names the value and its file, for messages. */
  readonly source: string;
}

interface Value extends SuppliedValue {
  readonly rank: (typeof RANK)[keyof typeof RANK];
}

/** Returns true for a value that was not meant for this program: exclusions may remove it. */
function isAmbient({ rank }: Value): boolean {
  return rank > RANK.own;
}

/** The values of one run. */
export class FlagValues {
  readonly #values = new Map<FlagName, Value>();
  /** Switches of other programs' variables that a flag of one service removed. */
  readonly #removed = new Set<FlagName>();

  /**
   * Gathers and checks all values.
   *
   * Throws `usage` for values out of range, flags that exclude each other, and missing flags. The
   * message names each flag, or the variable that set it.
   */
  constructor(
    readonly command: CommandName,
    given: GivenValues,
    environment: (name: string) => string | undefined,
    settings: Settings = new Map(),
    gathered: ReadonlyMap<FlagName, Value> = new Map(),
  ) {
    for (const name of commandOf(command).flags) {
      const value = gathered.get(name) ?? gather(name, given, environment, settings);
      if (value) this.#values.set(name, value);
    }
    this.#checkValues();
    this.#checkExclusions();
    this.#checkRequired();
  }

  /**
   * Returns these values with others in place of some. Throws `usage` for values out of range, with
   * the source of the value.
   */
  with(supplied: ReadonlyMap<FlagName, SuppliedValue>): FlagValues {
    const values = new Map(this.#values);
    for (const [name, value] of supplied) values.set(name, { ...value, rank: RANK.flag });
    const copy = new FlagValues(this.command, new Map(), () => undefined, new Map(), values);
    for (const name of this.#removed) copy.#removed.add(name);
    return copy;
  }

  /** Returns a flag's text, or its default, or undefined. */
  text(name: FlagName): string | undefined {
    const fallback = flagOf(name).default;
    return this.#values.get(name)?.texts[0] ??
      (fallback === undefined ? undefined : String(fallback));
  }

  /** Returns a flag's text if it was meant for this program: no default, no other's variable. */
  given(name: FlagName): string | undefined {
    const value = this.#values.get(name);
    return value && !isAmbient(value) ? value.texts[0] : undefined;
  }

  /** Returns the text of a flag that the table requires or has a default for. */
  required(name: FlagName): string {
    const text = this.text(name);
    if (text === undefined) throw missingFlagsError([this.#format(name)], this.command);
    return text;
  }

  /** Returns all arguments of a list flag, or undefined if it was not given. */
  list(name: FlagName): readonly string[] | undefined {
    return this.#values.get(name)?.texts;
  }

  /** Returns the value of a number flag. */
  integer(name: FlagName): number {
    return Number(this.required(name));
  }

  /** Returns true when a switch is on. */
  isOn(name: FlagName): boolean {
    return SWITCH_WORDS.get((this.text(name) ?? "false").toLowerCase()) ?? false;
  }

  /** Returns true when a switch is on, or was on until an exclusion removed it. */
  wasOn(name: FlagName): boolean {
    return this.isOn(name) || this.#removed.has(name);
  }

  /** Returns a secret flag's value: a source to resolve, or (`literal`) the secret itself. */
  secretSource(name: FlagName): { text: string; literal: boolean } | undefined {
    const value = this.#values.get(name);
    const text = value?.texts[0];
    return value && text !== undefined ? { text, literal: isAmbient(value) } : undefined;
  }

  /**
   * Returns true if the command line or the flag's own variable set the flag. A switch that is set to
   * its default does not count.
   */
  isExplicit(name: FlagName): boolean {
    const { kind, default: defaultValue } = flagOf(name);
    const changes = kind !== "switch" || this.isOn(name) !== (defaultValue === "true");
    const value = this.#values.get(name);
    return changes && value !== undefined && !isAmbient(value);
  }

  #checkValues(): void {
    for (const [name, { texts, source }] of this.#values) {
      const { kind, range, choices } = flagOf(name);
      const shown = (text: string) => refusedValue(text) || " not valid";
      for (const text of texts) {
        if (kind === "integer" && range) {
          const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
          if (!(number >= range.min && number <= range.max)) {
            throw new HelperError(
              "usage",
              `${source} is${
                shown(text)
              }; it must be a whole number of ${range.min} to ${range.max}${
                range.reason === undefined ? "" : `; ${range.reason}`
              }`,
            );
          }
        }
        if (choices && !choices.includes(text)) {
          throw new HelperError(
            "usage",
            `${this.#label(name, source)} is${shown(text)}; it must be one of ${
              choices.join(", ")
            }`,
          );
        }
        if (kind === "switch" && !SWITCH_WORDS.has(text.toLowerCase())) {
          // Not shown: a PIN or password may have been given to the wrong flag.
          throw new HelperError("usage", `${source} takes only true, 1, false or 0`);
        }
      }
    }
  }

  #checkExclusions(): void {
    for (const { flags: [a, b], commands, unless, keepsSecond } of EXCLUSIONS) {
      if (commands && !commands.includes(this.command)) continue;
      if (!this.#isGiven(a) || !this.#isGiven(b) || (unless && this.#isGiven(unless))) continue;
      // As in botocore: a configured endpoint wins over configured FIPS and dual-stack.
      const ambient = [b, a].find((name) => this.#rankOf(name) > RANK.own);
      if (ambient) {
        if (ambient === b && keepsSecond) continue;
        if (ambient === b) this.#removed.add(b);
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
    const { required, suppliedBy, oneOf } = commandOf(this.command);
    const isSupplied = suppliedBy !== undefined && this.#isGiven(suppliedBy);
    const absent = isSupplied
      ? []
      : required.filter((name) => !this.#isGiven(name)).map((name) => this.#format(name));
    const lacksOneOf = oneOf.length > 0 && !oneOf.some((name) => this.#isGiven(name));
    const choice = oneOf.map((name) => `--${name}`).join(" or ");
    if (absent.length > 0) {
      throw missingFlagsError(lacksOneOf ? [...absent, choice] : absent, this.command);
    }
    if (lacksOneOf) {
      throw new HelperError("usage", `${this.command} needs ${choice}; ${seeHelp(this.command)}`);
    }
  }

  /** Returns a missing flag for a message, with its choices; an argument without its flag. */
  #format(name: FlagName): string {
    const { choices } = flagOf(name);
    return `${this.#label(name, `--${name}`)}${choices ? ` (one of ${choices.join(", ")})` : ""}`;
  }

  /** Returns `source` for a message; an argument without its flag. */
  #label(name: FlagName, source: string): string {
    const isArgument = source === `--${name}` && commandOf(this.command).positional === name;
    return isArgument ? `the ${name}` : source;
  }

  /** Returns true if the flag was set on the command line. */
  isOnCommandLine(name: FlagName): boolean {
    return this.#values.get(name)?.source === `--${name}`;
  }

  /** Returns the flag, variable or setting that the value was read from, for messages. */
  sourceOf(name: FlagName): string {
    return this.#values.get(name)?.source ?? `--${name}`;
  }

  #rankOf(name: FlagName): number {
    return this.#values.get(name)?.rank ?? RANK.flag;
  }

  #isGiven(name: FlagName): boolean {
    return flagOf(name).kind === "switch" ? this.isOn(name) : this.#values.has(name);
  }
}

const SWITCH_WORDS = new Map([["true", true], ["1", true], ["false", false], ["0", false]]);

function missingFlagsError(flags: readonly string[], command: CommandName): HelperError {
  return new HelperError(
    "usage",
    `${flags.join(", ")} ${flags.length === 1 ? "is" : "are"} missing; ${seeHelp(command)}`,
  );
}

function gather(
  name: FlagName,
  given: GivenValues,
  environment: (name: string) => string | undefined,
  settings: Settings,
): Value | undefined {
  const { kind, envAliases = [], unlessVariable, refusesEmpty } = flagOf(name);
  const value = given.get(name);
  const refuseEmpty = (source: string) => {
    if (refusesEmpty) {
      throw new HelperError("usage", `${source} is empty; name a value, or omit it`);
    }
  };
  if (value !== undefined) {
    const all = Array.isArray(value) ? value : [String(value)];
    const texts = kind === "secret" ? all : all.filter((text) => text !== "");
    if (texts.length < all.length) refuseEmpty(`--${name}`);
    if (texts.length > 0) return { texts, source: `--${name}`, rank: RANK.flag };
  }
  const own = environment(variableOf(name));
  if (own === "") refuseEmpty(variableOf(name));
  if (own) return { texts: [own], source: variableOf(name), rank: RANK.own };
  if (unlessVariable && /^(true|1)$/i.test(environment(unlessVariable) ?? "")) return undefined;
  for (const variable of envAliases) {
    const text = environment(variable);
    if (text) return { texts: [text], source: variable, rank: RANK.other };
  }
  const setting = settings.get(name);
  return setting && { texts: [setting.text], source: setting.source, rank: RANK.file };
}
