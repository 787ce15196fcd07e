// deno-lint-ignore-file no-console -- a build script prints its progress
/**
 * Man pages in man(7), one for the program and one for each command. Their source is the tables of
 * flags and exit codes.
 *
 * Usage: deno run -A packaging/man.ts DIRECTORY
 *
 * @module
 */
import {
  type CommandName,
  commandOf,
  COMMANDS,
  EXCLUSIONS,
  type Flag,
  type FlagName,
  flagOf,
  isCommandName,
  variableOf,
} from "../src/cli/flags/flags.ts";
import { EXAMPLES, flagGroups } from "../src/cli/flags/help.ts";
import { PROGRAM } from "../src/cli/program.ts";
import { VERSION } from "../src/cli/commands/version.ts";
import { EXIT_CODES } from "../src/errors.ts";

/** Returns all pages by their file name. The footer contains `date`. */
export function manPages(date: Date): ReadonlyMap<string, string> {
  const names = Object.keys(COMMANDS).filter(isCommandName);
  return new Map([
    [`${PROGRAM}.1`, programPage(names, date)],
    ...names.map((name) => [`${pageOf(name)}.1`, commandPage(name, date)] as const),
  ]);
}

/** Returns the page name of a command: `aws_signing_helper-serve`, as in git. */
function pageOf(name: CommandName): string {
  return `${PROGRAM}-${name.replaceAll(" ", "-")}`;
}

function programPage(names: readonly CommandName[], date: Date): string {
  return page(PROGRAM, "temporary AWS credentials from an X.509 certificate", date, [
    section("SYNOPSIS", `.B ${text(PROGRAM)}\n.I command\n.RI [ flags ]`),
    section(
      "DESCRIPTION",
      text(
        "Asks IAM Roles Anywhere for a session, with a certificate and its private key from a " +
          "file, a PKCS#11 token, a TPM or the system's certificate store, and hands the " +
          "credentials to AWS SDKs and the AWS CLI.",
      ),
    ),
    section(
      "COMMANDS",
      names.map((name) =>
        `.TP\n.BR ${text(name.replaceAll(" ", "\\ "))}\n${text(commandOf(name).summary)}; see\n` +
        `.BR ${text(pageOf(name))} (1)`
      ).join("\n"),
    ),
    environmentSection(),
    exitSection(),
    section("SEE ALSO", ".BR aws (1),\n.BR openssl (1)"),
  ]);
}

function commandPage(name: CommandName, date: Date): string {
  const { summary, flags, oneOf, positional } = commandOf(name);
  const need = (flag: FlagName) =>
    oneOf.length > 1 && oneOf.includes(flag)
      ? ` Required, or ${
        oneOf.filter((other) => other !== flag).map((other) => text(`--${other}`)).join(", ")
      }.`
      : "";
  const groups = flagGroups(name);
  const exclusions = EXCLUSIONS.filter(({ flags: [a, b], commands }) =>
    flags.includes(a) && flags.includes(b) && (!commands || commands.includes(name))
  );
  return page(pageOf(name), summary, date, [
    section(
      "SYNOPSIS",
      `.B ${text(`${PROGRAM} ${name}`)}${
        positional
          ? `\n.I ${flagOf(positional).choices?.join("|") ?? positional}`
          : flags.length > 0
          ? "\n.RI [ flags ]"
          : ""
      }`,
    ),
    section("DESCRIPTION", text(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)),
    ...(groups.length === 0 ? [] : [section(
      "OPTIONS",
      groups.map(({ title, flags }) =>
        [
          `.SS ${quoted(title)}`,
          ...flags.map((flag) => `${option(flag, flagOf(flag, name))}${need(flag)}`),
        ].join("\n")
      ).join("\n"),
    )]),
    ...(exclusions.length === 0 ? [] : [section(
      "FLAGS THAT EXCLUDE EACH OTHER",
      exclusions.map(({ flags: [a, b], unless }) =>
        `.TP\n.BR ${text(`--${a}`)} ", " ${text(`--${b}`)}\n${
          unless ? `Unless \\fB${text(`--${unless}`)}\\fR is given.` : "Never together."
        }`
      ).join("\n"),
    )]),
    section("EXAMPLE", `.EX\n${text(`${PROGRAM} ${name} ${EXAMPLES[name]}`.trim())}\n.EE`),
    ...(flags.some((flag) => flagOf(flag).kind === "secret") ? [environmentSection()] : []),
    exitSection(),
    section("SEE ALSO", `.BR ${text(PROGRAM)} (1)`),
  ]);
}

function option(name: FlagName, flag: Flag): string {
  const value = flag.choices?.join("|") ?? flag.value;
  const notes = [
    flag.range ? `${flag.range.min} to ${flag.range.max}` : "",
    flag.default === undefined ? "" : `default ${flag.default}`,
  ].filter((note) => note !== "").join(", ");
  const { description } = flag;
  return `.TP\n${
    value === undefined ? `.B ${text(`--${name}`)}` : `.BI ${text(`--${name}`)} " ${text(value)}"`
  }\n${
    text(`${description[0]?.toUpperCase()}${description.slice(1)}${notes ? ` (${notes})` : ""}.`)
  }`;
}

function environmentSection(): string {
  return section(
    "ENVIRONMENT",
    text(
      `Each flag has a variable: ${variableOf("role-arn")} for --role-arn. A secret can be given ` +
        "as env:NAME, file:PATH or fd:N; plain text is in the process list.",
    ),
  );
}

function exitSection(): string {
  return section(
    "EXIT STATUS",
    Object.values(EXIT_CODES).map(({ value, meaning }) =>
      `.TP\n.B ${value}\n${text(`${meaning[0]?.toUpperCase()}${meaning.slice(1)}.`)}`
    ).join("\n"),
  );
}

function page(name: string, summary: string, date: Date, sections: readonly string[]): string {
  const day = date.toISOString().slice(0, 10);
  const title = text(name.toUpperCase());
  return [
    `.TH ${title} 1 ${day} "${PROGRAM} ${VERSION}" "User Commands"`,
    // Flags and paths must not be broken across lines.
    ".nh",
    ".ad l",
    section("NAME", `${text(name)} \\- ${text(summary)}`),
    ...sections,
    "",
  ].join("\n");
}

function section(title: string, body: string): string {
  return `.SH ${quoted(title)}\n${body}`;
}

/** Returns a heading as one argument of a macro. */
function quoted(title: string): string {
  return title.includes(" ") ? `"${text(title)}"` : text(title);
}

/** Escapes text so that roff reads it as plain text with ASCII dashes. */
function text(plain: string): string {
  return plain.replaceAll(/\\(?! )/g, "\\e").replaceAll("-", "\\-").replaceAll("…", "...")
    .replaceAll(/^(['.])/gm, "\\&$1");
}

if (import.meta.main) {
  const [directory] = Deno.args;
  if (!directory) {
    console.error("usage: man.ts DIRECTORY");
    Deno.exit(2);
  }
  const { sourceDate } = await import("./source_date.ts");
  await Deno.mkdir(directory, { recursive: true });
  for (const [name, page] of manPages(await sourceDate())) {
    await Deno.writeTextFile(`${directory}/${name}`, page);
  }
}
