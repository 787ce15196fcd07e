/**
 * The error type of the program. Every expected failure is a {@link HelperError}: a stable `code`
 * for programs, a one-line message for users, the `cause` for debuggers. The code determines the
 * exit code.
 *
 * @module
 */

/** Exit codes and their meaning. `commands.md` is generated from this table. */
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
    meaning: "CreateSession or AssumeRole was refused (access denied, not valid, not found)",
  },
  unavailable: {
    value: 5,
    meaning: "the service throttled the call, is unavailable, or returned an expired session",
  },
  network: { value: 6, meaning: "network or TLS failure on the way to the service" },
  interrupted: { value: 130, meaning: "ended by Ctrl-C or another signal" },
} as const satisfies Record<string, { value: number; meaning: string }>;

/** A name in {@link EXIT_CODES}. */
export type ExitName = keyof typeof EXIT_CODES;

/** Exit code of each error code. */
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
  "session-expired": "unavailable",
  network: "network",
  proxy: "network",
  "network-timeout": "network",
  tls: "network",
} as const satisfies Record<string, ExitName>;

/** The stable code of a {@link HelperError}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Maximum length of a message, in characters. Lists of URIs are its longest part. */
const MAX_MESSAGE_LENGTH = 4000;
/** Maximum length of a name or path in a message, in characters. */
const MAX_NAME_LENGTH = 300;
/** Longer than the URI of any token: a path or name, which is truncated in messages. */
const LONG_WORD = /\S{1000,}/g;
/** Maximum length of a refused value that is shown. PINs and passwords are usually longer. */
const MAX_SHOWN_VALUE_LENGTH = 11;

/** Expected failure. Its message is one sentence with advice, and never contains a secret. */
export class HelperError extends Error {
  override readonly name = "HelperError";

  /**
   * @param code stable, for programs; determines the exit code
   * @param message one sentence that names the flag or file, the failure and what to do
   */
  constructor(readonly code: ErrorCode, message: string, options?: { cause?: unknown }) {
    const shown = printable(message, MAX_MESSAGE_LENGTH);
    super(shown.replace(LONG_WORD, (word) => `${word.slice(0, MAX_NAME_LENGTH)}…`), options);
  }

  /** Process exit code of this error, from {@link EXIT_CODES}. */
  get exitCode(): number {
    return EXIT_CODES[this.exitName].value;
  }

  /** Name of the exit code in {@link EXIT_CODES}. */
  get exitName(): ExitName {
    return ERROR_CODES[this.code];
  }
}

/** Returns the message of a thrown value, on one line. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s+/g, " ").trim();
}

/**
 * Makes foreign text safe to print: one line, no control characters, no text of keys, at most `max`
 * characters. Messages, debug lines and reports all use it.
 */
export function printable(text: string, max = 1000): string {
  if (text.length <= max && isPlainPath(text)) return text;
  // Truncated last: the sign that ends a secret must not be cut off before.
  return withoutSecrets(printableLine(text, max + MAX_MESSAGE_LENGTH)).slice(0, max);
}

/**
 * Returns true for text like most paths, in which {@link printable} would change nothing. So most
 * runs need not compile its patterns.
 */
function isPlainPath(text: string): boolean {
  return /^[\w./-]*$/.test(text) &&
    text.split(/[/_.-]/).every((part) => part.length < MIN_KEY_PART || !/[A-Z]/.test(part));
}

/** Makes text safe to print that contains a secret on purpose, at most `max` characters. */
export function printableLine(text: string, max: number): string {
  // Not a literal: V8 would parse it in each run, which takes 0.4 ms for a class of Unicode.
  const control = new RegExp(String.raw`[\p{C}\p{Zl}\p{Zp}]+`, "gu");
  return text.slice(0, 2 * max).replace(control, " ").trim().slice(0, max);
}

/** Secrets that users paste in the place of a name or path, and what replaces each. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // A PEM block, on one line or cut off.
  [/-----BEGIN ([A-Z0-9 ]{1,40})-----.*?(?:-----END [^-]*-----|$)/g, "-----BEGIN $1-----…"],
  // Not the number of a handle.
  [/\bhandle:(?!(?:0x)?[0-9a-f]{1,16}(?![\w-]))[^\s",;()]*[^\s",;:()]/gi, "handle:…"],
  // user:password@ of a URL.
  [/:\/\/[^\s/@"]*@/g, "://…@"],
  // The query of a URL or path. Queries of pkcs11: URIs are cleaned by their parser.
  [/(?<!pkcs11:\S{0,1000})\?[\w.-]+=[^\s"]*/g, "?…"],
  [
    /((?:pin|passphrase|password|secret|token)[\w-]{0,20}value[^=\s]{0,20}=)[^\s;&"]*[^\s;&":]/gi,
    "$1…",
  ],
];

/** Base64, also in lines of 64 or 76 characters that became one line. */
const BASE64 = /(?:[\w+/-]{64}(?:[\w+/-]{12})? )+[\w+/-]{4,}={0,2}|[\w+/-]{40,}={0,2}/g;
/** Length of a part of base64 between slashes from which on it is not the name of a folder. */
const MIN_KEY_PART = 16;

/** Replaces secrets, so that one that was pasted in the wrong place is not printed. */
function withoutSecrets(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of SECRETS) clean = clean.replace(pattern, replacement);
  return clean.replace(BASE64, (found) => isKeyText(found) ? "…" : found);
}

/** Returns true for text with a long part that mixes upper case, lower case and digits as base64 does. */
function isKeyText(text: string): boolean {
  return text.split(/[/ _-]/).some((part) =>
    part.length >= MIN_KEY_PART && /[a-z]/.test(part) && /[A-Z]/.test(part) && /\d/.test(part) &&
    countRuns(part) >= MIN_RUNS * part.length
  );
}

/** Share of runs of one kind of character per character: 0.63 in base64, 0.35 in `AwsRolesAnywhereKey2026`. */
const MIN_RUNS = 0.42;

function countRuns(part: string): number {
  return part.match(/[A-Z]+|[a-z]+|\d+/g)?.length ?? 0;
}

/** Returns a name, label or path for a message, truncated to {@link MAX_NAME_LENGTH}. */
export function printableName(text: string): string {
  const name = printable(text, MAX_NAME_LENGTH + 1);
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
}

/**
 * Returns ` "value"` for a message that refuses a flag's value, or nothing for a long value. A long
 * value could be a secret that was given to the wrong flag.
 */
export function refusedValue(text: string): string {
  return text.length > MAX_SHOWN_VALUE_LENGTH ? "" : ` "${printable(text)}"`;
}

/** Variable names that are shown. Other text could be a PIN: a shell expands `env:$PIN`. */
const VARIABLE_NAME = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/;

/** Returns the variable of a secret's source for a message. */
export function describeVariable(name: string): string {
  return VARIABLE_NAME.test(name) && name.length <= 64 ? `the variable ${name}` : "its variable";
}

/** Returns `env:NAME` for a message. `env:$PIN` would expose the PIN. */
export function variableSource(name: string): string {
  return VARIABLE_NAME.test(name) ? `env:${name}` : "env:…";
}

/** Returns the file of a secret's source for a message. `file:$PIN` would expose the PIN. */
export function describeFile(path: string): string {
  return /[./\\]/.test(path) ? `the file ${printableName(path)}` : "its file";
}
