/**
 * Finds the objects of a token: certificates, private keys, public keys.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { type Certificate, parseCertificate } from "../../../src/x509/certificate.ts";
import { DerError } from "../../../src/x509/der.ts";
import { sameBytes } from "../../../src/x509/public_key.ts";
import { CKA, CKC, CKO } from "../cryptoki/constants.ts";
import { copyToNative } from "../cryptoki/library.ts";
import { type PublicKeyAttributes, readPublicKeyAttributes } from "./public_key.ts";
import type { Attribute, Handle } from "../cryptoki/structures.ts";
import type { ObjectCriteria } from "../uri/match.ts";
import type { Session } from "../module/session_pool.ts";

/** Object and the session in which it was found. */
interface TokenObject {
  readonly session: Session;
  /** CKA_ID and CKA_LABEL; empty if missing. */
  readonly id: Uint8Array;
  readonly label: Uint8Array;
}

/** Certificate on a token. */
export interface TokenCertificate extends TokenObject {
  readonly certificate: Certificate;
}

/** Private key on a token. */
export interface TokenKey extends TokenObject {
  readonly handle: Handle;
  readonly publicKeyAttributes: PublicKeyAttributes;
  /** CKA_PRIVATE: it is only visible and usable after a login. */
  readonly isPrivate: boolean;
  /** CKA_ALWAYS_AUTHENTICATE: each signature requires a PIN. */
  readonly alwaysAuthenticate: boolean;
}

/**
 * Returns the X.509 certificates that match, in a stable order, without duplicates. Skips malformed
 * ones, and calls `onMalformed` with the reason.
 */
export async function findCertificates(
  session: Session,
  criteria: ObjectCriteria & { readonly subject?: Uint8Array },
  onMalformed: (why: string) => void,
): Promise<TokenCertificate[]> {
  const { subject } = criteria;
  const found: TokenCertificate[] = [];
  const handles = await find(session, CKO.CERTIFICATE, criteria, subject && [CKA.SUBJECT, subject]);
  for (const handle of handles) {
    const [value, id = NONE, label = NONE, type] = await session.cryptoki.objects
      .getAttributeValues(
        session.handle,
        handle,
        [CKA.VALUE, CKA.ID, CKA.LABEL, CKA.CERTIFICATE_TYPE],
      );
    const isX509 = !type || session.structures.readUlong(type) === BigInt(CKC.X_509);
    if (!value || !isX509 || !matches({ id, label }, criteria)) continue;
    if (criteria.sha256 !== undefined && criteria.sha256 !== await sha256Hex(value)) continue;
    try {
      found.push({ session, id, label, certificate: parseCertificate(value) });
    } catch (thrown) {
      if (!(thrown instanceof DerError)) throw thrown;
      onMalformed(`a certificate on the token is malformed (${thrown.message})`);
    }
  }
  const key = ({ label, id, certificate }: TokenCertificate) =>
    [label, id, certificate.encoded].map((bytes) => encodeHex(bytes)).join(" ");
  const byKey = new Map(found.map((item) => [key(item), item]));
  return [...byKey.keys()].toSorted().flatMap((name) => byKey.get(name) ?? []);
}

/** Returns the private keys that match, in a stable order. */
export async function findPrivateKeys(
  session: Session,
  criteria: ObjectCriteria,
): Promise<TokenKey[]> {
  const found: TokenKey[] = [];
  for (const handle of await find(session, CKO.PRIVATE_KEY, criteria)) {
    const [type, id = NONE, label = NONE, isPrivate, always] = await session.cryptoki.objects
      .getAttributeValues(
        session.handle,
        handle,
        [CKA.KEY_TYPE, CKA.ID, CKA.LABEL, CKA.PRIVATE, CKA.ALWAYS_AUTHENTICATE],
      );
    if (!type || !matches({ id, label }, criteria)) continue;
    const keyType = Number(session.structures.readUlong(type));
    found.push({
      session,
      handle,
      id,
      label,
      isPrivate: isPrivate?.[0] !== 0,
      alwaysAuthenticate: always?.[0] === 1,
      publicKeyAttributes: await readPublicKeyAttributes(session, handle, keyType, "private"),
    });
  }
  const key = ({ label, id, handle }: TokenKey) => `${encodeHex(label)} ${encodeHex(id)} ${handle}`;
  return found.toSorted((a, b) => key(a) < key(b) ? -1 : 1);
}

/** Returns the attributes of the public key objects that match. */
export async function findPublicKeys(
  session: Session,
  criteria: ObjectCriteria,
): Promise<PublicKeyAttributes[]> {
  const found: PublicKeyAttributes[] = [];
  for (const handle of await find(session, CKO.PUBLIC_KEY, criteria)) {
    const types = [CKA.KEY_TYPE, CKA.ID, CKA.LABEL];
    const [type, id = NONE, label = NONE] = await session.cryptoki.objects.getAttributeValues(
      session.handle,
      handle,
      types,
    );
    if (!type || !matches({ id, label }, criteria)) continue;
    const keyType = Number(session.structures.readUlong(type));
    found.push(await readPublicKeyAttributes(session, handle, keyType, "public"));
  }
  return found;
}

const NONE = new Uint8Array(0);

/** Returns the objects of a class. Leaves empty values to `matches`: not all modules find by them. */
async function find(
  { cryptoki, structures, handle }: Session,
  objectClass: number,
  { id, label }: ObjectCriteria,
  ...more: (Attribute | readonly [number, Uint8Array] | undefined)[]
): Promise<Handle[]> {
  const wanted: (readonly [number, Uint8Array])[] = [
    ...(id && id.length > 0 ? [[CKA.ID, id] as const] : []),
    ...(label && label.length > 0 ? [[CKA.LABEL, label] as const] : []),
    ...more.filter((attribute) => attribute !== undefined),
  ];
  return await cryptoki.objects.find(handle, [
    [CKA.CLASS, structures.ulong(objectClass)],
    ...wanted.map(([type, value]): Attribute => [type, copyToNative(value)]),
  ]);
}

function matches(
  object: { readonly id: Uint8Array; readonly label: Uint8Array },
  { id, label }: ObjectCriteria,
): boolean {
  return (id === undefined || sameBytes(id, object.id)) &&
    (label === undefined || sameBytes(label, object.label));
}

/** Returns the SHA-256 in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes))));
}
