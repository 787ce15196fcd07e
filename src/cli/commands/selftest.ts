/**
 * `selftest`: lists the certificates of a store, signs with a key and verifies the signature. The
 * report contains no secrets.
 *
 * @module
 */
import { HelperError, messageOf } from "../../errors.ts";
import { formatTime } from "../../credentials/format_time.ts";
import {
  type Identity,
  type IdentitySource,
  listCertificates,
  openIdentity,
} from "../../keystore/open_identity.ts";
import { isCertificateLister, type ListedCertificate } from "../../keystore/types.ts";
import { SCHEMES } from "../../keystore/uri.ts";
import { SIGNING_ALGORITHMS } from "../../rolesanywhere/algorithms.ts";
import { type Certificate, publicKeyOf, serialNumberHex } from "../../x509/certificate.ts";
import { formatName } from "../../x509/name.ts";
import { type PublicKey, rsaPublicNumbers } from "../../x509/public_key.ts";
import { verifySignature } from "../../x509/verify_signature.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createWholeStoreUri } from "../cert_selector.ts";
import { createKeystoreContext, readIdentitySource } from "../keystore_context.ts";
import { PROGRAM } from "../program.ts";
import { VERSION } from "./version.ts";
import type { System } from "../system.ts";

/** Prefix of the signed message, so that the signature cannot authorize a request to a service. */
const PREFIX = `${PROGRAM} selftest\n`;

/**
 * Prints the report line by line. Throws `usage`, errors of the keystores, and `key-unreadable` if
 * the signature does not verify.
 */
export async function selftest(values: FlagValues, system: System): Promise<void> {
  const report = (...lines: string[]) => system.write(lines.map((line) => `${line}\n`).join(""));
  const source = await chooseSource(values, system);
  const context = createKeystoreContext(values, system);
  report(`${PROGRAM} ${VERSION} (${system.platform} ${system.architecture})`);
  const place = source.certificate ?? source.privateKey;
  if (source.certificate) {
    const keystore = await system.registry(source.certificate.scheme);
    const { scheme, displayName } = source.certificate;
    report(`Certificates from ${SCHEMES[scheme].title}: ${displayName}`);
    if (isCertificateLister(keystore)) {
      const listed = await listCertificates(source.certificate, keystore, context);
      report(`Found: ${listed.length}`, ...listed.flatMap(describeListed));
    }
  }
  await using identity = await openIdentity(source, system.registry, context);
  report(`Chosen: ${formatName(identity.certificate.subject)}`);
  report(...describeIdentity(identity, system.now()));
  report(await signAndVerify(identity, place?.displayName ?? "", system), "Result: passed");
}

async function chooseSource(values: FlagValues, system: System): Promise<IdentitySource> {
  const source = await readIdentitySource(values, system.platform);
  if (source.certificate || source.privateKey) return source;
  return { certificate: createWholeStoreUri(system.platform, "selftest") };
}

function describeListed({ certificate, uri, selector }: ListedCertificate, i: number): string[] {
  return [
    `${i + 1}) ${formatName(certificate.subject)}`,
    `   Issuer: ${formatName(certificate.issuer)}`,
    `   Serial Number: ${serialNumberHex(certificate)}`,
    `   Valid: ${formatTime(certificate.notBefore)} to ${formatTime(certificate.notAfter)}`,
    `   Key: ${describeKeyOf(certificate)}`,
    ...(uri === undefined ? [] : [`   URI: ${uri}`]),
    ...(selector === undefined ? [] : [`   Selector: ${selector}`]),
  ];
}

function describeIdentity({ certificate, chain }: Identity, now: Date): string[] {
  const isValid = certificate.notBefore <= now && now <= certificate.notAfter;
  return [
    `   Key: ${describeKeyOf(certificate)}`,
    `   Valid now: ${isValid ? "yes" : "no"}, until ${formatTime(certificate.notAfter)}`,
    `   Issuers to send: ${chain.length}`,
    ...chain.map((issuer) => `   - ${formatName(issuer.subject)}`),
  ];
}

function describeKeyOf(certificate: Certificate): string {
  try {
    return describeKey(publicKeyOf(certificate));
  } catch (thrown) {
    return `not usable: ${messageOf(thrown)}`;
  }
}

function describeKey({ keyType, curve, bits }: PublicKey): string {
  if (curve) return `${keyType} on ${curve.name}`;
  return keyType === "RSA"
    ? `${keyType} of ${8 * rsaPublicNumbers(bits).modulus.length} bits`
    : keyType;
}

async function signAndVerify(identity: Identity, label: string, system: System): Promise<string> {
  const { signer, certificate } = identity;
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  const message = new Uint8Array([...new TextEncoder().encode(PREFIX), ...nonce]);
  const publicKey = publicKeyOf(certificate);
  const { digest } = SIGNING_ALGORITHMS[publicKey.keyType];
  const start = system.monotonic();
  const signature = await signer.sign(message, digest);
  const milliseconds = Math.round(system.monotonic() - start);
  if (!await verifySignature(publicKey, message, digest, signature)) {
    throw new HelperError(
      "key-unreadable",
      `${label}: the key's signature does not verify against the certificate; ` +
        "please report it with the lines above",
    );
  }
  return `Signed: ${message.length} bytes with ${digest} in ${milliseconds} ms, ` +
    `signature of ${signature.length} bytes, verified`;
}
