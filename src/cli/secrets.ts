/**
 * Resolving secrets that flags name by their source, as OpenSSL writes pass phrase arguments
 * (openssl-passphrase-options(1)), so that no secret need stand in the process list.
 *
 * @module
 */
import { describeFile, describeVariable, HelperError } from "../errors.ts";
import { SourceError, type SourceFault } from "../files/source_file.ts";
import { pathAdvice } from "../keystore/path_advice.ts";

/** What resolving touches. */
export interface SecretReaders {
  environment(name: string): string | undefined;
  /** The bytes of a file, or of a descriptor's path. */
  readFile(path: string): Promise<Uint8Array>;
  /** Whether this process was given the descriptor by whoever started it. */
  isInherited(descriptor: number): boolean;
  readonly windows: boolean;
}

/** Reasons for which the advice for other files would be wrong. */
const SAID: ReadonlySet<SourceFault> = new Set(["device", "no-writer", "slow"] as const);

/** A password longer than this is a wrong file, bytes. */
const MAX_SECRET_BYTES = 65_536;

/**
 * The secret behind `text`: `env:NAME`, `file:PATH` (first line), `fd:N` (first line), `pass:TEXT`,
 * or the text itself. Throws `secret-source`, naming `flag` and the source, never the secret.
 */
export async function resolveSecret(
  text: string,
  flag: string,
  readers: SecretReaders,
): Promise<string> {
  const [, kind, rest = ""] = /^(env|file|fd|pass):(.*)$/s.exec(text) ?? [];
  const refuse = (why: string, cause?: unknown) =>
    new HelperError("secret-source", `${flag}: ${why}`, { cause });
  const firstLine = async (path: string, what: string): Promise<string> => {
    let bytes: Uint8Array;
    try {
      bytes = await readers.readFile(path);
    } catch (cause) {
      if (cause instanceof SourceError) {
        if (cause.fault === "large") throw refuse(`${what} is too large to be a password`, cause);
        if (SAID.has(cause.fault)) throw refuse(`${what} ${cause.message}`, cause);
      }
      const advice = pathAdvice(path) ?? "check that it exists and is yours";
      throw refuse(`${what} cannot be read; ${advice}`, cause);
    }
    if (bytes.length > MAX_SECRET_BYTES) throw refuse(`${what} is too large to be a password`);
    try {
      const decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      return decoded.split(/\r?\n/, 1)[0] ?? "";
    } catch (cause) {
      throw refuse(`${what} does not hold text`, cause);
    } finally {
      bytes.fill(0);
    }
  };
  switch (kind) {
    case "env": {
      const value = readers.environment(rest);
      if (value === undefined) throw refuse(`${describeVariable(rest)} is not set`);
      return value;
    }
    case "file":
      return await firstLine(rest, describeFile(rest));
    case "fd":
      if (!/^\d{1,6}$/.test(rest)) throw refuse(`"fd:" takes the number of an open descriptor`);
      if (readers.windows) throw refuse("fd: is not available on Windows; use file: or env:");
      if (!readers.isInherited(Number(rest))) {
        throw refuse(
          `the descriptor ${rest} is not open; open it in the shell, as in ${rest}< FILE`,
        );
      }
      return await firstLine(`/dev/fd/${rest}`, `the descriptor ${rest}`);
    case "pass":
      return rest;
    default:
      return text;
  }
}
