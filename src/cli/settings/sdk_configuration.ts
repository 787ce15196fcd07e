/**
 * Reads AWS's configuration file. Loads the parser only if the file exists.
 *
 * @module
 */
import type { Settings } from "../flags/flag_values.ts";
import { messageOf, printableName } from "../../errors.ts";
import { configurationFilePath } from "../paths.ts";
import type { System } from "../system.ts";

/** Maximum size of a configuration file, bytes. */
const MAX_FILE_SIZE = 1 << 20;

/**
 * Returns the settings of the profile in use (AWS_PROFILE, else `default`). Ignores a file that does
 * not exist. Warns of one that cannot be read.
 */
export async function loadSdkSettings(
  system: Pick<System, "platform" | "environment" | "homeDirectory" | "log">,
): Promise<Settings> {
  if (!system.environment("AWS_CONFIG_FILE") && !system.homeDirectory()) return new Map();
  const path = configurationFilePath(system);
  const text = await readAwsFile(path, (why) => {
    system.log(`warning: the settings in ${printableName(path)} are not used: it ${why}`);
  });
  if (text === undefined) return new Map();
  const { readSdkSettings } = await import("./sdk_settings.ts");
  return readSdkSettings(text, system.environment("AWS_PROFILE") || "default", path);
}

/**
 * Reads one of AWS's files. Returns undefined unless it is a regular file within the size limit. Reports why one
 * that exists cannot be read, as the rest of a sentence.
 */
export async function readAwsFile(
  path: string,
  report: (why: string) => void = () => {},
): Promise<string | undefined> {
  // Only here, because not every command reads a file.
  const { readSource } = await import("../../files/source_file.ts");
  try {
    const bytes = await readSource(path, { maxBytes: MAX_FILE_SIZE, pipes: false });
    return new TextDecoder().decode(bytes);
  } catch (thrown) {
    const { SourceError } = await import("../../files/source_error.ts");
    if (!(thrown instanceof SourceError && thrown.fault === "missing")) report(messageOf(thrown));
    return undefined;
  }
}
