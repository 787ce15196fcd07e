/**
 * Reads AWS's configuration file, if there is one. Its parser is loaded only then.
 *
 * @module
 */
import { readSourceSync } from "../../files/source_file.ts";
import type { Settings } from "../flags/flag_values.ts";
import { configurationFile } from "../paths.ts";
import type { System } from "../system.ts";

/** A larger file is not a configuration file, bytes. */
const MAX_FILE_SIZE = 1 << 20;

/**
 * Returns the settings of the profile in use (AWS_PROFILE, else `default`). A file that does not
 * exist or cannot be read has none, as for AWS SDKs.
 */
export async function sdkSettings(
  system: Pick<System, "platform" | "environment" | "homeDirectory">,
): Promise<Settings> {
  if (!system.environment("AWS_CONFIG_FILE") && !system.homeDirectory()) return new Map();
  const path = configurationFile(system);
  const text = readAwsFile(path);
  if (text === undefined) return new Map();
  const { readSdkSettings } = await import("./sdk_settings.ts");
  return readSdkSettings(text, system.environment("AWS_PROFILE") || "default", path);
}

/** Reads one of AWS's files; undefined if it is not a regular file of limited size. */
export function readAwsFile(path: string): string | undefined {
  try {
    const bytes = readSourceSync(path, { maxBytes: MAX_FILE_SIZE, pipes: false });
    return new TextDecoder().decode(bytes);
  } catch {
    return undefined;
  }
}
