/**
 * What can be wrong with a key file, and the sentences for it.
 *
 * @module
 */
import { type ErrorCode, HelperError } from "../../src/errors.ts";
import { DerError } from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { PemError } from "../../src/x509/pem.ts";

/** A passphrase that does not fit: bad padding, a MAC that differs, or plaintext that is no key. */
export class WrongPassphraseError extends Error {
  override readonly name = "WrongPassphraseError";
}

/** A file that is well formed and cannot be used as it is; the message is a sentence's tail. */
export class UnsupportedFormatError extends Error {
  override readonly name = "UnsupportedFormatError";
}

/** What the file was to give, which decides the code when it is malformed. */
export type Purpose = "key" | "certificate";

const MALFORMED: Readonly<Record<Purpose, ErrorCode>> = {
  key: "key-format",
  certificate: "certificate-format",
};

/**
 * Runs `work` and turns what the readers throw about a file into a {@link HelperError} naming it by
 * `label`. Other errors pass: they are mistakes in the program.
 */
export async function explained<T>(
  label: string,
  purpose: Purpose,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof KeyTypeError || cause instanceof UnsupportedFormatError) {
      throw new HelperError("key-unsupported", `${label}: ${cause.message}`, { cause });
    }
    if (cause instanceof PemError) {
      throw new HelperError(MALFORMED[purpose], `${label}: ${cause.message}`, { cause });
    }
    if (cause instanceof DerError) {
      throw new HelperError(
        MALFORMED[purpose],
        `${label} holds a malformed or damaged ${purpose} (${cause.message}); export it again`,
        { cause },
      );
    }
    throw cause;
  }
}
