/**
 * Paths of the user's files.
 *
 * @module
 */
import { isAbsolute, join } from "../path.ts";
import { HelperError } from "../errors.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import { PROGRAM } from "./program.ts";
import type { System } from "./system.ts";

/** Dependencies of the path functions. */
type PathDeps = Pick<System, "platform" | "environment" | "homeDirectory">;

/**
 * Returns the credentials file of AWS SDKs: `AWS_SHARED_CREDENTIALS_FILE`, or
 * `~/.aws/credentials`. Throws `usage` if it needs the home directory, which is unknown.
 */
export function credentialsFilePath(system: PathDeps): string {
  return awsFilePath(system, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
}

/** Returns the configuration file: `AWS_CONFIG_FILE`, or `~/.aws/config`. Throws `usage` likewise. */
export function configurationFilePath(system: PathDeps): string {
  return awsFilePath(system, "AWS_CONFIG_FILE", "config");
}

function awsFilePath(system: PathDeps, variable: string, defaultName: string): string {
  const named = system.environment(variable);
  if (!named) return join(requireHome(system, variable), ".aws", defaultName);
  // SDKs expand ~ here too, in case no shell did.
  const below = /^~(?:[/\\](.*))?$/s.exec(named);
  return below ? join(requireHome(system, variable), below[1] ?? "") : named;
}

/** Returns the directory of cached sessions: `--cache-dir`, or the platform's cache directory. */
export function cacheDirectoryPath(values: FlagValues, system: PathDeps): string {
  const named = values.text("cache-dir");
  if (named !== undefined) return named;
  const absolute = (variable: string) => {
    const path = system.environment(variable);
    return path && isAbsolute(path) ? path : undefined;
  };
  if (system.platform === "windows") {
    const local = absolute("LOCALAPPDATA") ??
      join(requireHome(system, "LOCALAPPDATA"), "AppData", "Local");
    return join(local, PROGRAM, "Cache");
  }
  const defaultPath = system.platform === "darwin" ? ["Library", "Caches"] : [".cache"];
  return join(
    absolute("XDG_CACHE_HOME") ?? join(requireHome(system, "XDG_CACHE_HOME"), ...defaultPath),
    PROGRAM,
  );
}

function requireHome(system: PathDeps, variable: string): string {
  const directory = system.homeDirectory();
  if (directory) return directory;
  throw new HelperError("usage", `the home directory is unknown; set HOME or ${variable}`);
}
