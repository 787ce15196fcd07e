/**
 * X.509-SVIDs in a response of the Workload API (`X509SVIDResponse` in its workload.proto).
 *
 * @module
 */
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import type { NonEmpty } from "../../src/x509/chain.ts";
import { contextTag, DerError, DerReader, readSequence } from "../../src/x509/der.ts";
import { isSpiffeId } from "./address.ts";
import { AgentError } from "./errors.ts";
import { type Field, ProtobufError, readFields } from "./protobuf.ts";

/** X.509-SVID with its private key. */
export interface Svid {
  /** SPIFFE ID. */
  readonly id: string;
  /** End-entity certificate and intermediates. */
  readonly certificates: NonEmpty<Certificate>;
  /** PKCS#8, unencrypted. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** Certificate authorities of the trust domain, concatenated DER. */
  readonly bundle: Uint8Array;
}

/** Maximum number of SVIDs in a response. */
const MAX_SVIDS = 100;
/** Maximum number of certificates of an SVID or a trust domain. */
export const MAX_CERTIFICATES = 100;

/** Field numbers of X509SVIDResponse and X509SVID. */
const SVIDS = 1;
const FIELDS = { id: 1, certificates: 2, key: 3, bundle: 4 } as const;

/**
 * Decodes a response, in its order. The result shares no memory with it.
 *
 * Throws {@link AgentError} if it is malformed or has too many SVIDs.
 */
export function decodeResponse(message: Uint8Array): Svid[] {
  const svids: Svid[] = [];
  try {
    for (const { number, bytes } of readFields(message)) {
      if (number !== SVIDS) continue;
      if (svids.length === MAX_SVIDS) throw new AgentError("too-many");
      svids.push(decodeSvid(bytes));
    }
    return svids;
  } catch (cause) {
    wipeKeys(svids);
    if (!(cause instanceof ProtobufError) && !(cause instanceof DerError)) throw cause;
    throw new AgentError("malformed", { detail: cause.message, cause });
  }
}

/** Returns the end of an SVID's validity, for messages. */
export function formatExpiry({ certificates: [{ notAfter }] }: Svid): string {
  return notAfter.toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** Overwrites the private keys. */
export function wipeKeys(svids: readonly Svid[]): void {
  for (const { key } of svids) key.fill(0);
}

/** Reads concatenated DER certificates. Throws `DerError`, and {@link AgentError} for too many. */
export function readCertificates(bytes: Uint8Array): Certificate[] {
  const reader = new DerReader(bytes);
  const certificates: Certificate[] = [];
  while (!reader.atEnd) {
    if (certificates.length === MAX_CERTIFICATES) throw new AgentError("too-many");
    certificates.push(parseCertificate(reader.next().encoded));
  }
  return certificates;
}

/** `uniformResourceIdentifier` of a GeneralName (RFC 5280 section 4.2.1.6). */
const URI_NAME = contextTag(6, false);

/** Returns true if the ID is the certificate's only URI, as an X.509-SVID must have it. */
function hasSpiffeId({ subjectAlternativeName }: Certificate, id: string): boolean {
  if (!subjectAlternativeName) return false;
  const uris: string[] = [];
  for (const names = readSequence(subjectAlternativeName); !names.atEnd;) {
    const { tag, contents } = names.next();
    if (tag === URI_NAME) uris.push(new TextDecoder().decode(contents));
  }
  return uris.length === 1 && uris[0] === id;
}

function decodeSvid(message: Uint8Array): Svid {
  const fields = new Map<Field["number"], Uint8Array>();
  // Of a repeated field the last one counts.
  for (const { number, bytes } of readFields(message)) fields.set(number, bytes);
  const bytesOf = (number: number) => fields.get(number) ?? new Uint8Array();
  const id = new TextDecoder().decode(bytesOf(FIELDS.id));
  if (!isSpiffeId(id)) throw new AgentError("malformed", { detail: "not a SPIFFE ID" });
  const [first, ...others] = readCertificates(bytesOf(FIELDS.certificates).slice());
  if (!first) throw new AgentError("malformed", { detail: "no certificate" });
  if (!hasSpiffeId(first, id)) throw new AgentError("other-id");
  const key = bytesOf(FIELDS.key);
  if (key.length === 0) throw new AgentError("malformed", { detail: "no private key" });
  return {
    id,
    certificates: [first, ...others],
    key: key.slice(),
    bundle: bytesOf(FIELDS.bundle).slice(),
  };
}
