/**
 * Cases that must behave as with AWS's helper, and parsing of their lines.
 *
 * @module
 */

/** Expected result of a case, in addition to its exit code. */
export type Effect =
  /** Credentials as one line of JSON, from one CreateSession call. */
  | "credentials"
  /** Credentials in the profile that `profile` names, `default` if it is absent. */
  | "written"
  /** An endpoint that listens, and ends with exit code 0 on SIGTERM. */
  | "serves"
  /** A signature on standard output: JSON string, hex text or bytes, by `--format`. */
  | "signature"
  /** A certificate's data as one line of JSON. */
  | "data"
  /** Text on standard output that `prints` matches. */
  | "text"
  /** One sentence on standard error that `stderr` matches, and nothing else. */
  | "error";

/** One command line, unit or pod, with its expected result. */
export interface DropInCase {
  /**
   * Arguments as in a shell, with single or double quotes. `{name}` is a file or value of the fixture,
   * `{arns}` the three ARN flags.
   */
  readonly line: string;
  /** Expected exit code, default 0. */
  readonly status?: number;
  readonly effect: Effect;
  readonly env?: Readonly<Record<string, string>>;
  /** Matches standard error; without it, standard error must be empty unless the case serves. */
  readonly stderr?: RegExp;
  /** Matches standard output. */
  readonly prints?: RegExp;
  /** The profile that must be written. */
  readonly profile?: string;
  /** Members of the CreateSession request's body. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** The number of certificates in the chain header. */
  readonly chain?: number;
}

/** Splits a line into arguments, and replaces each `{name}` by its value of one or more arguments. */
export function wordsOf(
  line: string,
  values: Readonly<Record<string, string | readonly string[]>>,
): string[] {
  const replaced = (text: string) =>
    text.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name];
      if (typeof value !== "string") throw new Error(`no value for {${name}} in: ${line}`);
      return value;
    });
  const args = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return args.flatMap((word) => {
    const whole = values[/^\{(\w+)\}$/.exec(word)?.[1] ?? ""];
    if (Array.isArray(whole)) return [...whole];
    return [
      replaced(word.replace(/"([^"]*)"|'([^']*)'/g, (_, a?: string, b?: string) => a ?? b ?? "")),
    ];
  });
}
