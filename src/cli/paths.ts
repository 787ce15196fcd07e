/**
 * Where this user's files are.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { HelperError } from "../errors.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import { PROGRAM } from "./program.ts";
import type { System } from "./system.ts";

/** The part of the world that tells where files are. */
type Places = Pick<System, "platform" | "environment" | "homeDirectory">;

/**
 * The credentials file, where AWS SDKs look for it: `AWS_SHARED_CREDENTIALS_FILE`, or
 * `~/.aws/credentials`. Throws `usage` when the home directory is needed and not known.
 */
export function credentialsFile(system: Places): string {
  return awsFile(system, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
}

/** The configuration file: `AWS_CONFIG_FILE`, or `~/.aws/config`. Throws as the one above. */
export function configurationFile(system: Places): string {
  return awsFile(system, "AWS_CONFIG_FILE", "config");
}

function awsFile(system: Places, variable: string, usual: string): string {
  const named = system.environment(variable);
  if (!named) return join(home(system, variable), ".aws", usual);
  // SDKs read the variable so, too: no shell may have done it.
  const below = /^~(?:[/\\](.*))?$/s.exec(named);
  return below ? join(home(system, variable), below[1] ?? "") : named;
}

/** The directory of cached sessions: `--cache-dir`, or where the platform keeps such things. */
export function cacheDirectory(values: FlagValues, system: Places): string {
  const named = values.text("cache-dir");
  if (named !== undefined) return named;
  const absolute = (variable: string) => {
    const path = system.environment(variable);
    return path && isAbsolute(path) ? path : undefined;
  };
  if (system.platform === "windows") {
    const local = absolute("LOCALAPPDATA") ??
      join(home(system, "LOCALAPPDATA"), "AppData", "Local");
    return join(local, PROGRAM, "Cache");
  }
  const usual = system.platform === "darwin" ? ["Library", "Caches"] : [".cache"];
  return join(
    absolute("XDG_CACHE_HOME") ?? join(home(system, "XDG_CACHE_HOME"), ...usual),
    PROGRAM,
  );
}

function home(system: Places, variable: string): string {
  const directory = system.homeDirectory();
  if (directory) return directory;
  throw new HelperError("usage", `the home directory is not known; set HOME or ${variable}`);
}
