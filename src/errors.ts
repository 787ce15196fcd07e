/**
 * The one error family of the program. Every failure a person can meet is a {@link HelperError}: a
 * stable `code` for programs, one sentence for people, the `cause` for debuggers. The code decides
 * the exit code.
 *
 * @module
 */

/** What each exit code tells a script. `commands.md` is generated from this table. */
export const EXIT_CODES = {
  done: { value: 0, meaning: "done" },
  failure: { value: 1, meaning: "any failure not named below" },
  usage: { value: 2, meaning: "wrong usage: a flag, an argument or a value that cannot be right" },
  key: {
    value: 3,
    meaning: "the key or certificate could not be found, read, unlocked or used",
  },
  refused: {
    value: 4,
    meaning: "CreateSession was refused (access denied, not valid, resource not found)",
  },
  unavailable: { value: 5, meaning: "the service throttled the call or is unavailable" },
  network: { value: 6, meaning: "network or TLS failure on the way to the service" },
  interrupted: { value: 130, meaning: "ended by Ctrl-C or another signal" },
} as const satisfies Record<string, { value: number; meaning: string }>;

/** A name in {@link EXIT_CODES}. */
export type ExitName = keyof typeof EXIT_CODES;

/** Every error code and the exit it leads to. */
const ERROR_CODES = {
  internal: "failure",
  interrupted: "interrupted",
  output: "failure",
  "credentials-file": "failure",
  "session-cache": "failure",
  listen: "failure",
  doctor: "failure",
  "service-answer": "failure",
  usage: "usage",
  "secret-source": "key",
  "key-not-found": "key",
  "key-unreadable": "key",
  "key-format": "key",
  "key-unsupported": "key",
  "key-locked": "key",
  "key-mismatch": "key",
  "keystore-unavailable": "key",
  "certificate-format": "key",
  "certificate-validity": "key",
  "certificate-chain": "key",
  "ca-bundle": "usage",
  "service-refused": "refused",
  "service-throttled": "unavailable",
  "service-unavailable": "unavailable",
  network: "network",
  proxy: "network",
  "network-timeout": "network",
  tls: "network",
} as const satisfies Record<string, ExitName>;

/** The stable code of a {@link HelperError}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An expected failure: its message is one clear sentence that says what to do, without a secret. */
export class HelperError extends Error {
  override readonly name = "HelperError";

  /**
   * @param code stable, for programs; it decides the exit code
   * @param message one sentence for a person, naming the flag or file and what to do
   */
  constructor(readonly code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }

  /** The process exit code this error leads to, from {@link EXIT_CODES}. */
  get exitCode(): number {
    return EXIT_CODES[ERROR_CODES[this.code]].value;
  }
}

/** The text of whatever was thrown, on one line. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s+/g, " ").trim();
}

/** Text of others for a sentence of ours: on one line, without what could steer a terminal. */
export function printable(text: string, longest = 1000): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim().slice(0, longest);
}
