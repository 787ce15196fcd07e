/**
 * Splits arguments into options, their values and positional arguments. The syntax is POSIX.1-2024,
 * 12.2, with the long options of GNU's getopt_long(3).
 *
 * A test compares it with parseArgs() of node:util. That is not used here: Deno 2.9 takes 20 ms to
 * load the first of Node's modules.
 *
 * @module
 */

/** Part of a command line; `argument` is the whole argument that it was read from. */
export type Token =
  | {
    readonly kind: "option";
    /** The name without hyphens; `help` for `-h`. */
    readonly name: string;
    /** The name as written, with hyphens. */
    readonly rawName: string;
    readonly value: string | undefined;
    /** True for `--name=value`, false for a value in an argument of its own. */
    readonly inlineValue: boolean;
    readonly argument: string;
  }
  | { readonly kind: "positional"; readonly value: string; readonly argument: string }
  | { readonly kind: "option-terminator"; readonly argument: string };

const HELP = { name: "help", letter: "h" } as const;

/**
 * Splits `args`. `takesValue` returns true for the name of an option that has a value. Without a
 * value after `=`, it is the next argument, whatever that is. Other options, unknown ones too, have
 * only a value after `=`.
 */
export function tokenize(
  args: readonly string[],
  takesValue: (name: string) => boolean,
): Token[] {
  const tokens: Token[] = [];
  const rest = args.map((argument) => ({ text: argument, argument })).toReversed();
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { text, argument } = next;
    if (text === "--") {
      tokens.push({ kind: "option-terminator", argument });
      while ((next = rest.pop())) {
        tokens.push({ kind: "positional", value: next.text, argument: next.argument });
      }
      break;
    }
    if (text === "-" || !text.startsWith("-")) {
      tokens.push({ kind: "positional", value: text, argument });
    } else if (text.startsWith("--")) {
      const option = { kind: "option", argument } as const;
      // "--=value" is an option without a name.
      const equals = text.includes("=", 3) ? text.indexOf("=") : -1;
      const rawName = equals < 0 ? text : text.slice(0, equals);
      const name = rawName.slice(2);
      const inlineValue = equals >= 0;
      const value = inlineValue
        ? text.slice(equals + 1)
        : takesValue(name)
        ? rest.pop()?.text
        : undefined;
      tokens.push({ ...option, name, rawName, value, inlineValue });
    } else if (text.length > 2) {
      // -abc is -a -b -c.
      for (let at = text.length - 1; at > 0; at--) rest.push({ text: `-${text[at]}`, argument });
    } else {
      const letter = text.slice(1);
      tokens.push({
        kind: "option",
        name: letter === HELP.letter ? HELP.name : letter,
        rawName: text,
        value: undefined,
        inlineValue: false,
        argument,
      });
    }
  }
  return tokens;
}
