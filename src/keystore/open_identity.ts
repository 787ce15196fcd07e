/**
 * Opens the certificate, private key and intermediates that the user named, and checks that key and
 * certificate match.
 *
 * @module
 */
import { HelperError, printable } from "../errors.ts";
import type { Certificate } from "../x509/certificate.ts";
import { hasPublicKey, type NonEmpty, selectEndEntity } from "../x509/chain.ts";
import { sameBytes } from "../x509/public_key.ts";
import type { KeystoreRegistry } from "./registry.ts";
import {
  type CertificateLister,
  isBundleReader,
  isSoftwareKeyOpener,
  type KeystoreContext,
  type ListedCertificate,
  type Signer,
  type SoftwareKey,
} from "./types.ts";
import type { KeystoreUri } from "./uri.ts";
import { withSource } from "./with_source.ts";

/** Maximum number of certificates in CreateSession's chain header. */
export const MAX_CHAIN_LENGTH = 5;

/** Sources of certificate, key and intermediates. */
export interface IdentitySource {
  readonly certificate?: KeystoreUri;
  /** Default: the source of the certificate. */
  readonly privateKey?: KeystoreUri;
  /** Bundle of issuers to send, after those from the certificate's source. */
  readonly intermediates?: KeystoreUri;
}

/** Signer with its certificate and the chain to send. */
export interface Identity extends AsyncDisposable {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** Issuers in the order to send, without the end-entity certificate. */
  readonly chain: readonly Certificate[];
}

interface OpenedKey {
  readonly signer: Signer;
  /** Certificate of this key; undefined if no certificate was named or found. */
  readonly certificate?: Certificate;
  /** All certificates of the source, including this one. */
  readonly certificates: readonly Certificate[];
}

/**
 * Opens only the key, for signing without a session. A certificate that is named, or that comes
 * with the key, must match it.
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
 * Throws `usage` without a source, `key-mismatch` if key and certificate do not match, and
 * `key-not-found` if there is no certificate. Throws `certificate-chain` if the chain is too long
 * for the service. Throws errors of the keystores.
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
    if (!certificate) throw noCertificateError(source);
    const chain = await chainOf(certificate, [...certificates, ...intermediates], context);
    if (chain.length > MAX_CHAIN_LENGTH) {
      throw new HelperError(
        "certificate-chain",
        `${displayName}: ${chain.length} issuers are on its path, but the service accepts ` +
          `${MAX_CHAIN_LENGTH}; remove those above the trust anchor`,
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

/** Returns the error for a key whose source has no certificate, if no other source was named. */
function noCertificateError({ certificate, privateKey }: IdentitySource): HelperError {
  const { displayName = "", source, scheme } = certificate ?? privateKey ?? {};
  const reason = certificate && scheme === "handle"
    ? "a TPM handle has no certificate"
    : "no certificate found";
  const advice = certificate
    ? "name the certificate's file with --certificate, and the key with --private-key"
    : "name one with --certificate";
  const message = `${displayName}: ${reason}; ${advice}`;
  return new HelperError("key-not-found", source ? `${source}: ${message}` : message);
}

/** Returns the issuers to send; what is left out is logged with `--debug`. */
async function chainOf(
  certificate: Certificate,
  others: readonly Certificate[],
  context: KeystoreContext,
): Promise<readonly Certificate[]> {
  if (others.every(({ encoded }) => sameBytes(encoded, certificate.encoded))) return [];
  // Path building verifies signatures. It is loaded only if there are other certificates.
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
  return await withSource(
    uri,
    async () => await (await registry(uri.scheme)).readCertificates(uri, context),
  );
}

/** Lists the certificates that match `uri`, with a keystore that can. */
export async function listCertificates(
  uri: KeystoreUri,
  keystore: CertificateLister,
  context: KeystoreContext,
): Promise<readonly ListedCertificate[]> {
  return await withSource(uri, () => keystore.listCertificates(uri, context));
}

/** Reads the issuers at `uri`. Returns none for a file without certificates. */
export async function readIntermediates(
  uri: KeystoreUri,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<readonly Certificate[]> {
  const keystore = await registry(uri.scheme);
  if (!isBundleReader(keystore)) return await readCertificates(uri, registry, context);
  const certificates = await withSource(uri, () => keystore.readBundle(uri, context));
  if (certificates.length === 0) {
    context.debug(`${uri.displayName} has no certificates; no chain is sent from it`);
  }
  return certificates;
}

/** URI attributes that identify a token. */
const TOKEN_ATTRIBUTES = ["token", "manufacturer", "serial", "model", "slot-id"] as const;

/** Returns the key's URI, with the PIN from the certificate's URI if both name the same token. */
function withPinOf(certificate: KeystoreUri | undefined, key: KeystoreUri): KeystoreUri {
  if (certificate?.scheme !== "pkcs11" || key.scheme !== "pkcs11") return key;
  const hasPin = ({ query }: KeystoreUri) => query.has("pin-value") || query.has("pin-source");
  const areDifferentTokens = TOKEN_ATTRIBUTES.some((name) => {
    const [one, other] = [certificate.attributes.get(name), key.attributes.get(name)];
    return one && other && !sameBytes(one, other);
  });
  if (hasPin(key) || !hasPin(certificate) || areDifferentTokens) return key;
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
      "no key was named; set --certificate and --private-key, or --cert-selector",
    );
  }
  const named = source.certificate && source.privateKey
    ? await readCertificates(source.certificate, registry, context)
    : undefined;
  const expected = named && selectEndEntity(named, context.now());
  const signer = await withSource(
    keyUri,
    () => openSignerAt(keyUri, registry, context, expected),
  );
  const [first, ...rest] = named ?? signer.certificates;
  if (!first) return { signer, certificates: [] };
  const certificate = selectEndEntity([first, ...rest], context.now(), signer.publicKey);
  if (!hasPublicKey(certificate, signer.publicKey)) {
    await signer[Symbol.asyncDispose]();
    throw new HelperError(
      "key-mismatch",
      source.certificate && source.certificate !== keyUri
        ? `the private key in ${keyUri.displayName} does not belong to the certificate in ` +
          `${source.certificate.displayName}; check that ` +
          `${source.certificate.source ?? "--certificate"} and ` +
          `${keyUri.source ?? "--private-key"} name a pair`
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

/** Opens a key that one keystore stores with the keystore of files. */
async function openSoftwareKey(
  { softwareKey, certificates = [], inMemory, resource }: SoftwareKey,
  displayName: string,
  registry: KeystoreRegistry,
  context: KeystoreContext,
): Promise<Signer> {
  await using owned = new AsyncDisposableStack();
  if (resource) owned.use(resource);
  const files = await registry("file");
  if (isSoftwareKeyOpener(files)) {
    const signer = owned.use(await files.openSoftwareKey(softwareKey, displayName, context));
    const resources = owned.move();
    return {
      ...withCertificates(signer, certificates),
      ...(inMemory ? { inMemory } : {}),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  }
  softwareKey.fill(0);
  throw new HelperError("internal", "the file keystore cannot open keys of other keystores");
}

/** Returns a signer for one use, with certificates in front of its own. */
function withCertificates(signer: Signer, certificates: readonly Certificate[]): Signer {
  return {
    publicKey: signer.publicKey,
    certificates: [...certificates, ...signer.certificates],
    sign: (message, digest) => signer.sign(message, digest),
    [Symbol.asyncDispose]: () => signer[Symbol.asyncDispose](),
  };
}
