/**
 * Opens the private key that a URI names, through its certificate or directly.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import type { Signer } from "../../src/keystore/types.ts";
import { type Certificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { hasPublicKey, type NonEmpty } from "../../src/x509/chain.ts";
import type { PublicKey } from "../../src/x509/public_key.ts";
import { findCertificatesOf, findPublicKeyOf } from "./objects/counterparts.ts";
import { findIssuers, searchCertificates, selectEndEntities } from "./search/certificates.ts";
import { choosePair, multipleKeysError } from "./search/identity.ts";
import { searchPrivateKeys } from "./search/private_keys.ts";
import { findBestMatch } from "./objects/matching.ts";
import { noObjectError } from "./search/errors.ts";
import type { TokenKey } from "./objects/find.ts";
import type { SearchContext } from "./search/context.ts";
import { createTokenSigner } from "./signer.ts";
import { printableBytes } from "./uri/format.ts";
import { matchesType, parseObjectCriteria } from "./uri/match.ts";

/**
 * Returns the signer of the key that a URI names. If the URI can name a certificate or a key, the
 * certificate is tried first. With `certificate`, which comes from another source, the key is tried
 * first.
 */
export async function openTokenKey(
  search: SearchContext,
  certificate: Certificate | undefined,
): Promise<Signer> {
  const { uri } = search;
  const canBeCertificate = matchesType(uri, "cert");
  const canBeKey = matchesType(uri, "private") && parseObjectCriteria(uri).sha256 === undefined;
  const byCertificate = () => canBeCertificate ? openByCertificate(search, certificate) : undefined;
  const byKey = () => canBeKey ? openByKey(search, certificate) : undefined;
  const signer = certificate
    ? await byKey() ?? await byCertificate()
    : await byCertificate() ?? await byKey();
  if (signer) return signer;
  const isEither = canBeCertificate && canBeKey && !certificate;
  throw noObjectError(
    search,
    isEither ? "certificate or private key" : canBeKey ? "private key" : "certificate",
  );
}

async function openByCertificate(
  search: SearchContext,
  certificate: Certificate | undefined,
): Promise<Signer | undefined> {
  let found = await searchCertificates(search);
  if (certificate) {
    const publicKey = publicKeyOf(certificate);
    found = found.filter(({ certificate }) => hasPublicKey(certificate, publicKey));
  }
  if (found.length === 0) return undefined;
  const pair = await choosePair(found, search);
  const owner = pair.found.certificate;
  return createSigner(search, pair.keys, publicKeyOf(owner), [
    owner,
    ...await findIssuers(pair.found),
  ]);
}

async function openByKey(
  search: SearchContext,
  certificate: Certificate | undefined,
): Promise<Signer | undefined> {
  const { uri } = search;
  let keys: readonly TokenKey[] = await searchPrivateKeys(search, certificate);
  if (keys.length === 0) return undefined;
  if (certificate) {
    keys = (await findBestMatch(keys, publicKeyOf(certificate), keys.length > 1)).keys;
    if (keys.length === 0) {
      throw new HelperError(
        "key-mismatch",
        `the private key in ${uri.displayName} does not belong to the certificate; ` +
          "check that --certificate and --private-key name a pair",
      );
    }
  }
  const [key, ...others] = keys;
  if (!key) throw multipleKeysError(search, keys);
  if (certificate) return createSigner(search, [key, ...others], publicKeyOf(certificate), []);
  if (others.length > 0) throw multipleKeysError(search, keys);
  const publicKey = await findPublicKeyOf(key);
  if (!publicKey) {
    throw new HelperError(
      "key-not-found",
      `${uri.displayName}: the token has no public key for private key "${
        printableBytes(key.label)
      }"; ` +
        "name its certificate with --certificate",
    );
  }
  return createSigner(
    search,
    [key],
    publicKey,
    await findCertificateChain(key, publicKey, search.now),
  );
}

/** Returns the certificate of a key and its issuers; an empty list if several certificates match. */
async function findCertificateChain(
  key: TokenKey,
  publicKey: PublicKey,
  now: Date,
): Promise<Certificate[]> {
  const found = await findCertificatesOf(key);
  const ofKey = found.filter(({ certificate }) => hasPublicKey(certificate, publicKey));
  const [only, another] = await selectEndEntities(ofKey, now);
  return only && !another ? [only.certificate, ...await findIssuers(only)] : [];
}

function createSigner(
  { pool, login, uri }: SearchContext,
  keys: NonEmpty<TokenKey>,
  publicKey: PublicKey,
  certificates: readonly Certificate[],
): Signer {
  return createTokenSigner({ pool, keys, publicKey, certificates, login, label: uri.displayName });
}
