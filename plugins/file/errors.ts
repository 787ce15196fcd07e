/**
 * Errors of key files and their messages.
 *
 * @module
 */
import { type ErrorCode, HelperError } from "../../src/errors.ts";
import { DerError } from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { PemError } from "../../src/x509/pem.ts";

/** Error for a wrong passphrase: bad padding, a different MAC, or plaintext that is not a key. */
export class WrongPassphraseError extends Error {
  override readonly name = "WrongPassphraseError";
}

/** Error for a well-formed file that is not supported. The message follows the file's name. */
export class UnsupportedFormatError extends Error {
  override readonly name = "UnsupportedFormatError";
}

/** Support for an algorithm in openssl 3: default provider, legacy provider or none. */
export type Support = "default" | "legacy" | "none";

/** Error for an unsupported algorithm. Each container has its own command that converts it. */
export class UnsupportedCipherError extends Error {
  override readonly name = "UnsupportedCipherError";

  /** @param algorithm its name, or its object identifier */
  constructor(readonly algorithm: string, readonly support: Support) {
    super(`${algorithm} is not supported`);
  }
}

/** Command that converts a container. The message shows FILE and NEW to the user, who puts paths there. */
export type Conversion = (isLegacy: boolean) => string;

/** Conversions. A test runs each one. */
export const CONVERSIONS = {
  pkcs8: (isLegacy) =>
    `openssl pkey ${isLegacy ? "-provider legacy -provider default " : ""}` +
    "-in FILE -aes256 -out NEW.pem",
  pkcs12: (isLegacy) => `openssl pkcs12 ${isLegacy ? "-legacy " : ""}-in FILE -out NEW.pem`,
} as const satisfies Record<string, Conversion>;

/** Runs `work`. Turns {@link UnsupportedCipherError} into an error that names the conversion. */
export async function withConversion<T>(
  conversion: Conversion,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof UnsupportedCipherError)) throw cause;
    const { algorithm, support } = cause;
    const advice = support === "none"
      ? "export it again with AES-256-CBC and SHA-256"
      : `convert it with: ${conversion(support === "legacy")}`;
    throw new UnsupportedFormatError(`it uses ${algorithm}, which is not supported; ${advice}`, {
      cause,
    });
  }
}

/** Runs `work`. If the file is base64, a conversion in its error decodes the file first. */
export async function withDecoding<T>(
  isDecoded: true | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isDecoded || !(cause instanceof UnsupportedFormatError)) throw cause;
    const message = cause.message.replace(
      / with: (.*)\bFILE\b/,
      " with: grep -v -e ---- FILE | base64 -d >NEW.bin && $1NEW.bin",
    );
    throw new UnsupportedFormatError(message, { cause });
  }
}

/** Expected contents of the file. Determines the error code of a malformed one. */
export type Purpose = "key" | "certificate";

const MALFORMED: Readonly<Record<Purpose, ErrorCode>> = {
  key: "key-format",
  certificate: "certificate-format",
};

/**
 * Runs `work`. Turns errors about the file into a {@link HelperError} with `displayName`. Other
 * errors are bugs in this program and pass unchanged.
 */
export async function withErrorMessages<T>(
  displayName: string,
  purpose: Purpose,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof KeyTypeError || cause instanceof UnsupportedFormatError) {
      throw new HelperError("key-unsupported", `${displayName}: ${cause.message}`, { cause });
    }
    if (cause instanceof PemError) {
      throw new HelperError(MALFORMED[purpose], `${displayName}: ${cause.message}`, { cause });
    }
    if (cause instanceof DerError) {
      throw new HelperError(
        MALFORMED[purpose],
        `${displayName} holds a malformed or damaged ${purpose} (${cause.message}); export it again`,
        { cause },
      );
    }
    throw cause;
  }
}
