/**
 * From what the user named (certificate, private key, intermediates) to a signer that is known to
 * hold the key of the certificate.
 *
 * @module
 */
import { HelperError, printable } from "../errors.ts";
import type { Certificate } from "../x509/certificate.ts";
import { hasPublicKey, type NonEmpty, selectEndEntity } from "../x509/chain.ts";
import { sameBytes } from "../x509/public_key.ts";
import type { KeystoreRegistry } from "./registry.ts";
import {
  isBundleReader,
  isSoftwareKeyOpener,
  type KeystoreContext,
  type Signer,
  type SoftwareKey,
} from "./types.ts";
import type { KeystoreUri } from "./uri.ts";

/** CreateSession takes this many certificates in its chain header. */
export const MAX_CHAIN_LENGTH = 5;

/** Where the user says that key and certificate stand. */
export interface IdentitySource {
  readonly certificate?: KeystoreUri;
  /** Absent: the key stands where the certificate does. */
  readonly privateKey?: KeystoreUri;
  /** A bundle of issuers to send, behind those found with the certificate. */
  readonly intermediates?: KeystoreUri;
}

/** A signer, its certificate and the chain to send. */
export interface Identity extends AsyncDisposable {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** Issuers in the order to send, without the end-entity certificate. */
  readonly chain: readonly Certificate[];
}

interface OpenedKey {
  readonly signer: Signer;
  /** The certificate of exactly this key; undefined when no certificate was named or found. */
  readonly certificate?: Certificate;
  /** The certificates among which it was found. */
  readonly certificates: readonly Certificate[];
}

/**
 * Opens the key alone, for signing without a session. A certificate that is named too, or that
 * stands with the key, must belong to it.
 */
export async function openSigner(
  source: IdentitySource,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<Signer> {
  return (await openKey(source, registry, context)).signer;
}

/**
 * Opens key, certificate and chain for a session.
 *
 * Throws `usage` when nothing was named, `key-mismatch` when key and certificate are not a pair,
 * `key-not-found` when no certificate stands with the key, `certificate-chain` when the chain is
 * longer than the service takes, and whatever the keystores throw.
 */
export async function openIdentity(
  source: IdentitySource,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<Identity> {
  const intermediates = source.intermediates
    ? await readIntermediates(source.intermediates, registry, context)
    : [];
  const { signer, certificate, certificates } = await openKey(source, registry, context);
  try {
    const displayName = (source.certificate ?? source.privateKey)?.displayName ?? "";
    if (!certificate) {
      throw new HelperError(
        "key-not-found",
        `${displayName} holds no certificate; name one with --certificate`,
      );
    }
    const chain = await chainOf(certificate, [...certificates, ...intermediates], context);
    if (chain.length > MAX_CHAIN_LENGTH) {
      throw new HelperError(
        "certificate-chain",
        `${displayName}: ${chain.length} issuers are on its path and the service takes ` +
          `${MAX_CHAIN_LENGTH}; leave out those above the trust anchor`,
      );
    }
    return {
      signer,
      certificate,
      chain,
      [Symbol.asyncDispose]: () => signer[Symbol.asyncDispose](),
    };
  } catch (thrown) {
    await signer[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** Returns the issuers to send; what is left out is logged with `--debug`. */
async function chainOf(
  certificate: Certificate,
  others: readonly Certificate[],
  context: KeystoreContext,
): Promise<readonly Certificate[]> {
  if (others.every(({ encoded }) => sameBytes(encoded, certificate.encoded))) return [];
  // Path building verifies signatures: loaded if there is more than the certificate itself.
  const { buildChain } = await import("../x509/path.ts");
  const { issuers, leftOut } = await buildChain(certificate, others, MAX_CHAIN_LENGTH);
  if (leftOut.length > 0) {
    const { formatName } = await import("../x509/name.ts");
    for (const { subject } of leftOut) {
      context.debug(`not sent, because it is not on the path: ${printable(formatName(subject))}`);
    }
  }
  return issuers;
}

/** Reads all certificates at `uri`, in their order. */
export async function readCertificates(
  uri: KeystoreUri,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<NonEmpty<Certificate>> {
  return await (await registry(uri.scheme)).readCertificates(uri, context);
}

/** Reads the issuers at `uri`. Returns none for a file without certificates. */
export async function readIntermediates(
  uri: KeystoreUri,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<readonly Certificate[]> {
  const keystore = await registry(uri.scheme);
  if (!isBundleReader(keystore)) return await keystore.readCertificates(uri, context);
  const certificates = await keystore.readBundle(uri, context);
  if (certificates.length === 0) {
    context.debug(`${uri.displayName} has no certificates; no chain is sent from it`);
  }
  return certificates;
}

/** Attributes of a URI that name a token. */
const TOKEN_ATTRIBUTES = ["token", "manufacturer", "serial", "model", "slot-id"] as const;

/** Returns the key's URI, with the PIN of the certificate's URI if it has none for the same token. */
function withPinOf(certificate: KeystoreUri | undefined, key: KeystoreUri): KeystoreUri {
  if (certificate?.scheme !== "pkcs11" || key.scheme !== "pkcs11") return key;
  const hasPin = ({ query }: KeystoreUri) => query.has("pin-value") || query.has("pin-source");
  const areOtherTokens = TOKEN_ATTRIBUTES.some((name) => {
    const [one, other] = [certificate.attributes.get(name), key.attributes.get(name)];
    return one && other && !sameBytes(one, other);
  });
  if (hasPin(key) || !hasPin(certificate) || areOtherTokens) return key;
  const pin = [...certificate.query].filter(([name]) => name.startsWith("pin-"));
  return { ...key, query: new Map([...key.query, ...pin]) };
}

async function openKey(
  source: IdentitySource,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<OpenedKey> {
  const keyUri = source.privateKey && withPinOf(source.certificate, source.privateKey) ||
    source.certificate;
  if (!keyUri) {
    throw new HelperError(
      "usage",
      "no key was named; give --certificate and --private-key, or --cert-selector",
    );
  }
  const named = source.certificate && source.privateKey
    ? await readCertificates(source.certificate, registry, context)
    : undefined;
  const expected = named && selectEndEntity(named, context.now());
  const signer = await openSignerAt(keyUri, registry, context, expected);
  const [first, ...rest] = named ?? signer.certificates;
  if (!first) return { signer, certificates: [] };
  const certificate = selectEndEntity([first, ...rest], context.now(), signer.publicKey);
  if (!hasPublicKey(certificate, signer.publicKey)) {
    await signer[Symbol.asyncDispose]();
    throw new HelperError(
      "key-mismatch",
      source.certificate && source.certificate !== keyUri
        ? `the private key in ${keyUri.displayName} does not belong to the certificate in ` +
          `${source.certificate.displayName}; check that --certificate and --private-key name a pair`
        : `no certificate in ${keyUri.displayName} belongs to the private key in it`,
    );
  }
  return { signer, certificate, certificates: [first, ...rest] };
}

async function openSignerAt(
  uri: KeystoreUri,
  registry: KeystoreRegistry,
  context: KeystoreContext,
  certificate: Certificate | undefined,
): Promise<Signer> {
  const opened = await (await registry(uri.scheme)).openKey(uri, context, certificate);
  if ("softwareKey" in opened) {
    return await openSoftwareKey(opened, uri.displayName, registry, context);
  }
  if (!("target" in opened)) return opened;
  const { certificates = [] } = opened;
  const [first, ...rest] = certificates;
  const owner = certificate ?? (first && selectEndEntity([first, ...rest], context.now()));
  const signer = await openSignerAt(opened.target, registry, context, owner);
  return withCertificates(signer, certificates);
}

/** A key that one keystore keeps and another one can use. */
async function openSoftwareKey(
  { softwareKey }: SoftwareKey,
  displayName: string,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<Signer> {
  const files = await registry("file");
  if (isSoftwareKeyOpener(files)) {
    const signer = await files.openSoftwareKey(softwareKey, displayName, context);
    // Not to be kept: whether it may be used is for the keystore that has it to say, each time.
    return withCertificates(signer, []);
  }
  softwareKey.fill(0);
  throw new HelperError("internal", "the keystore of files opens no keys of others");
}

/** A signer for one use, with certificates that stand before its own. */
function withCertificates(signer: Signer, certificates: readonly Certificate[]): Signer {
  return {
    publicKey: signer.publicKey,
    certificates: [...certificates, ...signer.certificates],
    sign: (message, digest) => signer.sign(message, digest),
    [Symbol.asyncDispose]: () => signer[Symbol.asyncDispose](),
  };
}
