/**
 * URIs of the stores of operating systems (`cng:`, `keychain:`): their path attributes are a
 * selector.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import {
  type CertificateSelector,
  isSelectorKey,
  parseSelector,
  SELECTOR_KEYS,
  SelectorError,
  type SelectorKey,
} from "../../x509/selector.ts";
import type { KeystoreUri } from "../uri.ts";

/** What the URI of a store says. */
export interface StoreQuery {
  readonly selector: CertificateSelector;
  /** Other attributes, by name. */
  readonly settings: ReadonlyMap<string, string>;
}

/**
 * Reads a store's URI: the keys of selectors and `settingNames` as path attributes.
 *
 * Throws `usage` for anything else in it, and for values that cannot be right.
 */
export function parseStoreUri(
  { scheme, displayName, attributes, query }: KeystoreUri,
  settingNames: readonly string[],
): StoreQuery {
  const refuse = (why: string, cause?: unknown) =>
    new HelperError("usage", `${displayName}: ${why}`, { cause });
  if (query.size > 0) throw refuse(`a ${scheme}: URI has no "?"; write it as %3F within a value`);
  const values = new Map<SelectorKey, string>();
  const settings = new Map<string, string>();
  for (const [written, bytes] of attributes) {
    const name = canonicalName(written, settingNames);
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw refuse(`the value of "${name}" is not UTF-8`, cause);
    }
    if (isSelectorKey(name)) values.set(name, text);
    else if (settingNames.includes(name)) settings.set(name, text);
    else {
      const known = [...SELECTOR_KEYS, ...settingNames].join(", ");
      throw refuse(`unknown attribute "${name}"; the attributes are ${known}`);
    }
  }
  try {
    return { selector: parseSelector(values), settings };
  } catch (cause) {
    if (!(cause instanceof SelectorError)) throw cause;
    throw refuse(cause.message, cause);
  }
}

/** An attribute's own spelling: URIs have their names in any case. */
function canonicalName(written: string, settingNames: readonly string[]): string {
  const known = [...SELECTOR_KEYS, ...settingNames];
  return known.find((name) => name.toLowerCase() === written.toLowerCase()) ?? written;
}
