/**
 * Opening the private key that a URI names, by its certificate or by itself.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import type { Signer } from "../../src/keystore/types.ts";
import { type Certificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { hasPublicKey, type NonEmpty } from "../../src/x509/chain.ts";
import type { PublicKey } from "../../src/x509/public_key.ts";
import { certificatesBeside, publicKeyBeside } from "./objects/counterparts.ts";
import { endEntities, issuersOf, searchCertificates } from "./search/certificates.ts";
import { choosePair, severalKeys } from "./search/identity.ts";
import { searchKeys } from "./search/private_keys.ts";
import { bestMatch } from "./objects/matching.ts";
import { noObject } from "./search/errors.ts";
import type { TokenKey } from "./objects/find.ts";
import type { Search } from "./search/context.ts";
import { tokenSigner } from "./signer.ts";
import { printable } from "./uri/format.ts";
import { matchesType, objectCriteria } from "./uri/match.ts";

/**
 * Returns the signer of the key that a URI names. A URI that can name a certificate is read as that
 * first, unless `certificate` is known from another source.
 */
export async function openKeyOf(
  search: Search,
  certificate: Certificate | undefined,
): Promise<Signer> {
  const { uri } = search;
  const isCertificates = matchesType(uri, "cert");
  const isKeys = matchesType(uri, "private") && objectCriteria(uri).sha256 === undefined;
  const byCertificate = () => isCertificates ? openByCertificate(search, certificate) : undefined;
  const byKey = () => isKeys ? openByKey(search, certificate) : undefined;
  const signer = certificate
    ? await byKey() ?? await byCertificate()
    : await byCertificate() ?? await byKey();
  if (signer) return signer;
  const isEither = isCertificates && isKeys && !certificate;
  throw noObject(
    search,
    isEither ? "certificate or private key" : isKeys ? "private key" : "certificate",
  );
}

async function openByCertificate(
  search: Search,
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
  return signerOf(search, pair.keys, publicKeyOf(owner), [
    owner,
    ...await issuersOf(pair.found),
  ]);
}

async function openByKey(
  search: Search,
  certificate: Certificate | undefined,
): Promise<Signer | undefined> {
  const { uri } = search;
  let keys: readonly TokenKey[] = await searchKeys(search, certificate);
  if (keys.length === 0) return undefined;
  if (certificate) {
    keys = (await bestMatch(keys, publicKeyOf(certificate), keys.length > 1)).keys;
    if (keys.length === 0) {
      throw new HelperError(
        "key-mismatch",
        `the private key in ${uri.displayName} does not belong to the certificate; ` +
          "check that --certificate and --private-key name a pair",
      );
    }
  }
  const [key, ...others] = keys;
  if (!key) throw severalKeys(search, keys);
  if (certificate) return signerOf(search, [key, ...others], publicKeyOf(certificate), []);
  if (others.length > 0) throw severalKeys(search, keys);
  const publicKey = await publicKeyBeside(key);
  if (!publicKey) {
    throw new HelperError(
      "key-not-found",
      `${uri.displayName}: the token has no public key for the private key "${
        printable(key.label)
      }"; ` +
        "name its certificate with --certificate",
    );
  }
  return signerOf(search, [key], publicKey, await certificatesOf(key, publicKey, search.now));
}

/** Returns the only certificate of a key and its issuers; nothing if there are several. */
async function certificatesOf(
  key: TokenKey,
  publicKey: PublicKey,
  now: Date,
): Promise<Certificate[]> {
  const found = await certificatesBeside(key);
  const ofKey = found.filter(({ certificate }) => hasPublicKey(certificate, publicKey));
  const [only, another] = await endEntities(ofKey, now);
  return only && !another ? [only.certificate, ...await issuersOf(only)] : [];
}

function signerOf(
  { visit, login, uri }: Search,
  keys: NonEmpty<TokenKey>,
  publicKey: PublicKey,
  certificates: readonly Certificate[],
): Signer {
  return tokenSigner({ visit, keys, publicKey, certificates, login, label: uri.displayName });
}
