/**
 * Matches tokens and objects against a `pkcs11:` URI (RFC 7512 section 2.5).
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { OBJECT_TYPES } from "../../../src/keystore/pkcs11_attributes.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { sameBytes } from "../../../src/x509/public_key.ts";
import { trimPadding } from "../cryptoki/structures.ts";
import type { SessionPool, Token } from "../module/session_pool.ts";

/** Attributes that objects must have. */
export interface ObjectCriteria {
  readonly id?: Uint8Array;
  readonly label?: Uint8Array;
  /** SHA-256 of a certificate, lower-case hex. */
  readonly sha256?: string;
}

/** Returns the lower-case text of a path attribute. */
function readText(uri: KeystoreUri, name: string): string | undefined {
  const value = uri.attributes.get(name);
  return value && new TextDecoder().decode(value).toLowerCase();
}

/** Returns the criteria for objects. */
export function parseObjectCriteria(uri: KeystoreUri): ObjectCriteria {
  const id = uri.attributes.get("id");
  const label = uri.attributes.get("object");
  const sha256 = readText(uri, "x-certificate-sha256");
  return {
    ...(id ? { id } : {}),
    ...(label ? { label } : {}),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

/** Returns true if the URI's type is `kind` or missing. Throws `usage` for unusable types. */
export function matchesType(uri: KeystoreUri, kind: "private" | "cert"): boolean {
  const type = readText(uri, "type") as (typeof OBJECT_TYPES)[number] | undefined;
  if (type === undefined || type === kind) return true;
  if (type === "private" || type === "cert") return false;
  throw new HelperError(
    "usage",
    `${uri.displayName}: objects of type=${type} cannot sign; use type=private or type=cert`,
  );
}

/** Returns the tokens that match the URI. */
export async function findMatchingTokens(pool: SessionPool, uri: KeystoreUri): Promise<Token[]> {
  if (!await matchesLibrary(pool, uri)) return [];
  const matching: Token[] = [];
  for (const token of await pool.tokens()) {
    if (matchesToken(token, uri) && await matchesSlot(pool, token, uri)) matching.push(token);
  }
  return matching;
}

function matchesToken({ slot, info }: Token, uri: KeystoreUri): boolean {
  const slotId = readText(uri, "slot-id");
  return (slotId === undefined || BigInt(slotId) === slot) && matches(uri, {
    "token": info.label,
    "manufacturer": info.manufacturer,
    "serial": info.serial,
    "model": info.model,
  });
}

async function matchesSlot(
  pool: SessionPool,
  { slot }: Token,
  uri: KeystoreUri,
): Promise<boolean> {
  if (!uri.attributes.has("slot-description") && !uri.attributes.has("slot-manufacturer")) {
    return true;
  }
  const info = await pool.skipFailingToken(
    `slot ${slot}`,
    () => pool.module.cryptoki.getSlotInfo(slot),
  );
  return info !== undefined &&
    matches(uri, { "slot-description": info.description, "slot-manufacturer": info.manufacturer });
}

async function matchesLibrary(pool: SessionPool, uri: KeystoreUri): Promise<boolean> {
  if (![...uri.attributes.keys()].some((name) => name.startsWith("library-"))) return true;
  const info = await pool.module.cryptoki.getInfo();
  const [major, minor = "0"] = readText(uri, "library-version")?.split(".") ?? [];
  if (major !== undefined && (Number(major) !== info.major || Number(minor) !== info.minor)) {
    return false;
  }
  return matches(uri, {
    "library-manufacturer": info.manufacturer,
    "library-description": info.description,
  });
}

/** Returns true if every attribute of `texts` that the URI has is equal. */
function matches(uri: KeystoreUri, texts: Readonly<Record<string, Uint8Array>>): boolean {
  return Object.entries(texts).every(([name, text]) => {
    const wanted = uri.attributes.get(name);
    return wanted === undefined || sameBytes(trimPadding(wanted), text);
  });
}
