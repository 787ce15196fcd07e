/**
 * URIs of operating systems' stores (`cng:`, `keychain:`), whose path attributes are a selector.
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

/** Selector and settings in a store's URI. */
export interface StoreQuery {
  readonly selector: CertificateSelector;
  /** Values of the other attributes, by name. */
  readonly settings: ReadonlyMap<string, string>;
}

/**
 * Parses a store's URI. Its path attributes are selector keys and `settingNames`.
 *
 * Throws `usage` for other attributes and invalid values.
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

/** Returns the canonical spelling of an attribute name, which is case-insensitive. */
function canonicalName(written: string, settingNames: readonly string[]): string {
  const known = [...SELECTOR_KEYS, ...settingNames];
  return known.find((name) => name.toLowerCase() === written.toLowerCase()) ?? written;
}
