/**
 * Resolves secrets that flags name by source, so that secrets need not appear in the process list.
 * The syntax is that of OpenSSL's pass phrase arguments (openssl-passphrase-options(1)).
 *
 * @module
 */
import { describeFile, describeVariable, HelperError, variableSource } from "../errors.ts";
import { SourceError, type SourceFault } from "../files/source_error.ts";
import { pathAdvice } from "../keystore/path_advice.ts";

/** Dependencies of {@link resolveSecret}. */
export interface SecretDeps {
  environment(name: string): string | undefined;
  /** Reads a file, or the path of a descriptor. */
  readFile(path: string): Promise<Uint8Array>;
  /** Returns true if the process inherited the descriptor from its parent. */
  isInherited(descriptor: number): boolean;
  readonly windows: boolean;
}

/** Faults whose message has its own advice; the advice for other files would be wrong. */
const FAULTS_WITH_ADVICE: ReadonlySet<SourceFault> = new Set(
  ["device", "no-writer", "slow"] as const,
);

/** Maximum length of a password, bytes. */
const MAX_SECRET_BYTES = 65_536;

const SOURCE = /^(env|file|fd|pass):(.*)$/s;

/** Returns the place that `text` names for a message; undefined if `text` holds the secret. */
export function describeOrigin(text: string): string | undefined {
  const [, kind, rest = ""] = SOURCE.exec(text) ?? [];
  switch (kind) {
    case "env":
      return variableSource(rest);
    case "file":
      return describeFile(rest);
    case "fd":
      return describeDescriptor(rest);
    default:
      return undefined;
  }
}

/** Returns a descriptor's name for messages. A long number could be a PIN: a shell expands `fd:$PIN`. */
function describeDescriptor(number: string): string {
  return number.length <= 3 ? `descriptor ${number}` : "the descriptor";
}

/**
 * Resolves the secret that `text` names: `env:NAME`, `file:PATH` (first line), `fd:N` (first line),
 * `pass:TEXT`, or the text itself. Throws `secret-source`, which names `flag` and the source, never
 * the secret.
 */
export async function resolveSecret(
  text: string,
  flag: string,
  deps: SecretDeps,
): Promise<string> {
  const [, kind, rest = ""] = SOURCE.exec(text) ?? [];
  const refuse = (reason: string, cause?: unknown) =>
    new HelperError("secret-source", `${flag}: ${reason}`, { cause });
  const firstLine = async (path: string, label: string): Promise<string> => {
    let bytes: Uint8Array;
    try {
      bytes = await deps.readFile(path);
    } catch (cause) {
      if (cause instanceof SourceError) {
        if (cause.fault === "large") throw refuse(`${label} is too large to be a password`, cause);
        if (FAULTS_WITH_ADVICE.has(cause.fault)) throw refuse(`${label} ${cause.message}`, cause);
      }
      const advice = pathAdvice(path) ?? "check that it exists and is readable";
      throw refuse(`${label} cannot be read; ${advice}`, cause);
    }
    if (bytes.length > MAX_SECRET_BYTES) throw refuse(`${label} is too large to be a password`);
    try {
      const decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      return decoded.split(/\r?\n/, 1)[0] ?? "";
    } catch (cause) {
      throw refuse(`${label} is not UTF-8 text`, cause);
    } finally {
      bytes.fill(0);
    }
  };
  switch (kind) {
    case "env": {
      const value = deps.environment(rest);
      if (value === undefined) throw refuse(`${describeVariable(rest)} is not set`);
      return value;
    }
    case "file":
      return await firstLine(rest, describeFile(rest));
    case "fd":
      if (!/^\d{1,6}$/.test(rest)) throw refuse(`"fd:" takes the number of an open descriptor`);
      if (deps.windows) throw refuse("fd: is not available on Windows; use file: or env:");
      if (!deps.isInherited(Number(rest))) {
        throw refuse(
          `${describeDescriptor(rest)} is not open; open it in the shell, for example ${
            rest.length > 3 ? 3 : rest
          }< FILE`,
        );
      }
      return await firstLine(`/dev/fd/${rest}`, describeDescriptor(rest));
    case "pass":
      return rest;
    default:
      return text;
  }
}
