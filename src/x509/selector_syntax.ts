/**
 * Syntax of selectors: `Key=x509Subject,Value=CN=name`, one or more in each text, or a JSON array of
 * `{"Key": …, "Value": …}`.
 *
 * @module
 */
import { refusedValue } from "../errors.ts";
import { type Certificate, serialNumberHex } from "./certificate.ts";
import { formatName } from "./name.ts";
import {
  isSelectorKey,
  matchesSelector,
  parseSelector,
  SELECTOR_KEYS,
  SelectorError,
  type SelectorKey,
  type SelectorValues,
  thumbprintHex,
} from "./selector.ts";

/** Parses command-line arguments. Throws {@link SelectorError}. */
export function readSelectorArguments(texts: readonly string[]): SelectorValues {
  const entries = texts.map(withoutQuotes).flatMap((text, i) => {
    if (!text.startsWith("Key=")) {
      throw new SelectorError(
        `${
          refusedValue(text).trim() || `argument ${i + 1}`
        } does not begin with "Key="; write Key=x509Subject,Value=CN=…, ` +
          "in quotes if it holds spaces, or file://selector.json",
      );
    }
    return text.split(/[ \t\r\n]+(?=Key=)/);
  });
  return collect(entries.map((entry, i): [string, string] => {
    const [, key, value] = /^Key=([^,]*),Value=(.*)$/s.exec(entry) ?? [];
    if (key === undefined || value === undefined) {
      throw new SelectorError(`entry ${i + 1} has no ",Value="; write Key=x509Subject,Value=CN=…`);
    }
    return [key, value];
  }));
}

/** Removes the quotes around an argument: read-certificate-data prints selectors with them. */
function withoutQuotes(text: string): string {
  const trimmed = text.trimStart();
  return /^"(Key=.*)"\s*$/s.exec(trimmed)?.[1] ?? trimmed;
}

/** Parses a JSON array of keys and values. Throws {@link SelectorError}. */
export function readSelectorJson(text: string): SelectorValues {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new SelectorError("it is not JSON", { cause });
  }
  if (!Array.isArray(parsed)) throw new SelectorError("it is not an array, as in [{…}, {…}]");
  return collect(parsed.map((entry: unknown, i): [string, string] => {
    const refuse = (why: string) => new SelectorError(`entry ${i + 1} ${why}`);
    if (typeof entry !== "object" || entry === null) throw refuse("is not an object");
    const members = new Map<string, unknown>(Object.entries(entry));
    const [key, value] = [members.get("Key"), members.get("Value")];
    if (typeof key !== "string" || typeof value !== "string" || members.size !== 2) {
      throw refuse('must have the members "Key" and "Value", two texts, and no others');
    }
    return [key, value];
  }));
}

function collect(entries: readonly (readonly [string, string])[]): SelectorValues {
  const values = new Map<SelectorKey, string>();
  for (const [i, [key, value]] of entries.entries()) {
    if (!isSelectorKey(key)) {
      throw new SelectorError(
        `unknown key${refusedValue(key)} in entry ${i + 1}; the keys are ${
          SELECTOR_KEYS.join(", ")
        }`,
      );
    }
    if (values.has(key)) throw new SelectorError(`duplicate key ${key}`);
    values.set(key, value);
  }
  if (values.size === 0) {
    throw new SelectorError(`it holds no key; the keys are ${SELECTOR_KEYS.join(", ")}`);
  }
  return values;
}

/**
 * Returns a selector of `certificate` in double quotes, to paste after `--cert-selector` in any
 * shell. It has subject, issuer and serial number, and the thumbprint if a certificate of `others`
 * has the same values.
 */
export async function formatSelector(
  certificate: Certificate,
  others: readonly Certificate[],
): Promise<string> {
  const values = new Map<SelectorKey, string>([
    ["x509Subject", escapeForShells(formatName(certificate.subject))],
    ["x509Issuer", escapeForShells(formatName(certificate.issuer))],
    ["x509Serial", serialNumberHex(certificate)],
  ]);
  for (const [key, value] of values) if (value === "") values.delete(key); // an empty name
  const selector = parseSelector(values);
  const same = await Promise.all(
    others.filter((other) => other !== certificate)
      .map((other) => matchesSelector(selector, other)),
  );
  if (same.includes(true)) values.set("x509Thumbprint", await thumbprintHex(certificate));
  return `"${[...values].map(([key, value]) => `Key=${key},Value=${value}`).join(" ")}"`;
}

/**
 * Escapes characters of a name as hex of their bytes: those that sh, PowerShell or cmd changes in
 * double quotes. They are straight and curved double quotes, `$`, `%`, `!`, backquotes, and a
 * backslash before a quote. Blanks that could be lost or end the value are escaped too.
 */
function escapeForShells(name: string): string {
  const hex = (text: string) =>
    Array.from(new TextEncoder().encode(text), (byte) => `\\${byte.toString(16).padStart(2, "0")}`)
      .join("");
  return name
    .replace(/\\([^0-9a-fA-F])/gs, (_escaped, special: string) => hex(special))
    .replace(/[$%!`\u201c-\u201f]|(?! )[\p{Z}\s]/gu, hex)
    .replace(/ (?=Key=)/g, hex(" "));
}
