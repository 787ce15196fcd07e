/**
 * Builds the arguments of a `credential-process` command with the flags of this run. It works from
 * any directory, because its paths are absolute, and has no secrets in it. Pure.
 *
 * @module
 */
import { posix, win32 } from "node:path";
import { HelperError } from "../../errors.ts";
import { descriptionOf, parseKeystoreUri } from "../../keystore/uri.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { COMMANDS, type FlagName, flagOf } from "../flags/flags.ts";
import type { System } from "../system.ts";

/** Dependencies of {@link buildCredentialProcessArgs}. */
type ArgsDeps = Pick<System, "platform" | "programPath" | "currentDirectory">;

/**
 * Returns the program's path, the command, and every flag set on the command line or by its own
 * variable. Throws `usage` for a secret itself, and for a source that only this process can read.
 */
export function buildCredentialProcessArgs(values: FlagValues, system: ArgsDeps): string[] {
  const given = COMMANDS["credential-process"].flags.filter((name) => values.isExplicit(name));
  return [
    system.programPath(),
    "credential-process",
    ...given.flatMap((name) => formatFlag(name, values, system)),
  ];
}

function formatFlag(name: FlagName, values: FlagValues, system: ArgsDeps): string[] {
  const flag = `--${name}`;
  const toAbsolute = (path: string) => toAbsolutePath(path, system);
  const { kind, value } = flagOf(name);
  if (kind === "switch") return [values.isOn(name) ? flag : `${flag}=false`];
  if (kind === "secret") return [flag, formatSecretSource(name, values, toAbsolute)];
  if (kind === "list") {
    return [
      flag,
      ...(values.list(name) ?? []).map((text) => formatSelector(text, toAbsolute)),
    ];
  }
  const text = values.required(name);
  if (name === "pkcs11-lib" && isLibraryName(text)) return [flag, text];
  if (value === "PATH") return [flag, toAbsolute(text)];
  return [flag, value === "PATH|URI" ? formatSource(text, flag, toAbsolute) : text];
}

/** Returns the flags of a line with paths that depend on the directory in which an SDK starts the program. */
export function findRelativePaths(
  values: FlagValues,
  { platform }: Pick<System, "platform">,
): FlagName[] {
  const root = platform === "windows" ? "C:\\" : "/";
  const formatIn = (name: FlagName, directory: string) =>
    formatFlag(name, values, {
      platform,
      programPath: () => "",
      currentDirectory: () => directory,
    });
  return COMMANDS["credential-process"].flags.filter((name) => {
    if (!values.isOnCommandLine(name)) return false;
    try {
      return `${formatIn(name, `${root}1`)}` !== `${formatIn(name, `${root}2`)}`;
    } catch (thrown) {
      if (thrown instanceof HelperError) return false; // a secret in the line itself
      throw thrown;
    }
  });
}

/** Returns why an SDK that starts the program cannot use an input. */
export function unavailableInput(displayName: string): string {
  return `${displayName} does not exist when an SDK starts the program; use a file or env:NAME`;
}

function toAbsolutePath(path: string, { platform, currentDirectory }: ArgsDeps): string {
  const { resolve } = platform === "windows" ? win32 : posix;
  return resolve(currentDirectory(), path);
}

function formatSource(text: string, flag: string, toAbsolute: (path: string) => string): string {
  const { scheme, path, query, input, displayName } = parseKeystoreUri(text, flag);
  if (input?.kind === "descriptor") {
    throw new HelperError("usage", `${flag}: ${unavailableInput(displayName)}`);
  }
  if (input) return text;
  if (query.has("pin-value") || query.has("context-pin-value")) {
    throw new HelperError(
      "usage",
      `${flag}: the configuration file would contain the PIN; use pin-source=file:/PATH instead ` +
        "of pin-value",
    );
  }
  if (scheme === "file") return toAbsolute(path);
  return descriptionOf(scheme).syntax === "path"
    ? `${scheme}:${encodeURI(toAbsolute(path))}`
    : withAbsolutePaths(text, toAbsolute);
}

/** Returns true for a module without a folder: the system's loader searches for it. */
function isLibraryName(path: string): boolean {
  return !/[\\/]/.test(path);
}

/** URI attributes that name a file. */
const FILE_ATTRIBUTES = ["module-path", "pin-source", "context-pin-source"];

/** Makes paths in a URI's query absolute, because an SDK may start the program in any directory. */
function withAbsolutePaths(text: string, toAbsolute: (path: string) => string): string {
  const at = text.indexOf("?");
  if (at < 0) return text;
  const parts = text.slice(at + 1).split("&").map((part) => {
    const [name = "", value = ""] = part.split(/=(.*)/s);
    if (!FILE_ATTRIBUTES.includes(name.toLowerCase())) return part;
    const [, prefix = "", path = ""] =
      /^(file:(?:\/\/(?=\/))?)?(.*)$/s.exec(decodeURIComponent(value)) ?? [];
    if (path === "" || /^(env|fd):|^\|/.test(path)) return part;
    if (name.toLowerCase() === "module-path" && isLibraryName(path)) return part;
    return `${name}=${prefix}${encodeURI(toAbsolute(path)).replace(/[?&#;]/g, encodeURIComponent)}`;
  });
  return `${text.slice(0, at + 1)}${parts.join("&")}`;
}

function formatSelector(text: string, toAbsolute: (path: string) => string): string {
  const path = /^file:\/\/(.+)$/s.exec(text)?.[1];
  return path === undefined ? text : `file://${toAbsolute(path)}`;
}

function formatSecretSource(
  name: FlagName,
  values: FlagValues,
  toAbsolute: (path: string) => string,
): string {
  const text = values.secretSource(name)?.text ?? "";
  const [, kind, rest = ""] = /^(env|file|fd):(.*)$/s.exec(text) ?? [];
  if (kind === "env") return text;
  if (kind === "file") return `file:${toAbsolute(rest)}`;
  throw new HelperError(
    "usage",
    kind === "fd"
      ? `--${name}: the descriptor does not exist when an SDK starts the program; use file:PATH or ` +
        "env:NAME"
      : `--${name}: the configuration file would contain the secret; use file:PATH or env:NAME`,
  );
}
