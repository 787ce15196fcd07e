/**
 * The words of the `credential-process` command that does what the flags of this run say, from
 * wherever it is started: paths are whole, and no secret stands in it. Pure.
 *
 * @module
 */
import { posix, win32 } from "node:path";
import { HelperError } from "../../errors.ts";
import { parseKeystoreUri } from "../../keystore/uri.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { COMMANDS, type FlagName, flagOf } from "../flags/flags.ts";
import type { System } from "../system.ts";

/** What the words depend on beside the flags. */
type HostInfo = Pick<System, "platform" | "programPath" | "currentDirectory">;

/**
 * The program's path, the command, and every flag that was given by the command line or by its own
 * variable. Throws `usage` for a secret that would stand in a file, and one that only this process
 * can read.
 */
export function credentialProcessArgs(values: FlagValues, system: HostInfo): string[] {
  const given = COMMANDS["credential-process"].flags.filter((name) => values.isExplicit(name));
  return [
    system.programPath(),
    "credential-process",
    ...given.flatMap((name) => flagWords(name, values, system)),
  ];
}

function flagWords(name: FlagName, values: FlagValues, system: HostInfo): string[] {
  const flag = `--${name}`;
  const whole = (path: string) => wholePath(path, system);
  const { kind, value } = flagOf(name);
  if (kind === "switch") return [values.isOn(name) ? flag : `${flag}=false`];
  if (kind === "secret") return [flag, secretWord(name, values, whole)];
  if (kind === "list") {
    return [
      flag,
      ...(values.list(name) ?? []).map((w) => selectorWord(w, whole)),
    ];
  }
  const text = values.required(name);
  if (value === "PATH") return [flag, whole(text)];
  return [flag, value === "PATH|URI" ? sourceWord(text, flag, whole) : text];
}

function wholePath(path: string, { platform, currentDirectory }: HostInfo): string {
  const { resolve } = platform === "windows" ? win32 : posix;
  return resolve(currentDirectory(), path);
}

function sourceWord(text: string, flag: string, whole: (path: string) => string): string {
  const { scheme, path, query } = parseKeystoreUri(text, flag);
  if (query.has("pin-value") || query.has("context-pin-value")) {
    throw new HelperError(
      "usage",
      `${flag}: a PIN would stand in the configuration file; name a file that holds it, with ` +
        "pin-source=file:/PATH instead of pin-value",
    );
  }
  return scheme === "file" ? whole(path) : withWholePaths(text, whole);
}

/** Attributes of a URI that name a file. */
const FILE_ATTRIBUTES = ["module-path", "pin-source", "context-pin-source"];

/** Makes the paths in a URI's query whole: an SDK starts the program in a directory of its own. */
function withWholePaths(text: string, whole: (path: string) => string): string {
  const at = text.indexOf("?");
  if (at < 0) return text;
  const parts = text.slice(at + 1).split("&").map((part) => {
    const [name = "", value = ""] = part.split(/=(.*)/s);
    if (!FILE_ATTRIBUTES.includes(name.toLowerCase())) return part;
    const [, prefix = "", path = ""] =
      /^(file:(?:\/\/(?=\/))?)?(.*)$/s.exec(decodeURIComponent(value)) ?? [];
    if (path === "" || /^(env|fd):|^\|/.test(path)) return part;
    return `${name}=${prefix}${encodeURI(whole(path)).replace(/[?&#;]/g, encodeURIComponent)}`;
  });
  return `${text.slice(0, at + 1)}${parts.join("&")}`;
}

function selectorWord(word: string, whole: (path: string) => string): string {
  const path = /^file:\/\/(.+)$/s.exec(word)?.[1];
  return path === undefined ? word : `file://${whole(path)}`;
}

function secretWord(
  name: FlagName,
  values: FlagValues,
  whole: (path: string) => string,
): string {
  const text = values.secretSource(name)?.text ?? "";
  const [, kind, rest = ""] = /^(env|file|fd):(.*)$/s.exec(text) ?? [];
  if (kind === "env") return text;
  if (kind === "file") return `file:${whole(rest)}`;
  throw new HelperError(
    "usage",
    kind === "fd"
      ? `--${name}: a descriptor of this process is not there when an SDK starts the program; ` +
        "use file:PATH or env:NAME"
      : `--${name}: the secret would stand in the configuration file; use file:PATH or env:NAME`,
  );
}
