/**
 * `read-certificate-data`: prints the data of a certificate file, or the matching certificates of a
 * token or store.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";
import { HelperError, messageOf } from "../../errors.ts";
import { listCertificates, readCertificates } from "../../keystore/open_identity.ts";
import { isCertificateLister, type ListedCertificate } from "../../keystore/types.ts";
import { SIGNING_ALGORITHMS } from "../../rolesanywhere/algorithms.ts";
import { type Certificate, publicKeyOf, serialNumberHex } from "../../x509/certificate.ts";
import { selectEndEntity } from "../../x509/chain.ts";
import { formatName } from "../../x509/name.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createKeystoreContext, readCertificateSource } from "../keystore_context.ts";
import type { System } from "../system.ts";

/** Prints the end-entity certificate's data as one line of JSON, or the list of matches. */
export async function readCertificateData(values: FlagValues, system: System): Promise<void> {
  const source = await readCertificateSource(values, system.platform);
  if (!source) throw new HelperError("usage", "--certificate is missing");
  const keystore = await system.registry(source.scheme);
  const context = createKeystoreContext(values, system);
  if (isCertificateLister(keystore)) {
    system.write(await formatIdentities(await listCertificates(source, keystore, context)));
    return;
  }
  const certificates = await readCertificates(source, system.registry, context);
  system.write(
    formatCertificateData(selectEndEntity(certificates, system.now()), source.displayName),
  );
}

function formatCertificateData(certificate: Certificate, label: string): string {
  let keyType;
  try {
    ({ keyType } = publicKeyOf(certificate));
  } catch (cause) {
    throw new HelperError(
      "key-unsupported",
      `the key of the certificate in ${label}: ${messageOf(cause)}`,
      { cause },
    );
  }
  return `${
    JSON.stringify({
      keyType: SIGNING_ALGORITHMS[keyType].keyType,
      certificateData: encodeBase64(certificate.encoded),
      serialNumber: String(certificate.serialNumber),
      supportedAlgorithms: SIGNING_ALGORITHMS[keyType].supportedAlgorithms,
    })
  }\n`;
}

/** Formats the list as AWS's helper does: a heading, then a block of lines for each certificate. */
async function formatIdentities(listed: readonly ListedCertificate[]): Promise<string> {
  if (listed.length === 0) return "No matching identities\n";
  const blocks = await Promise.all(listed.map(async ({ certificate, uri, selector }, i) => {
    const encoded = new Uint8Array(certificate.encoded);
    const fingerprint = encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-1", encoded)));
    return [
      `${i + 1}) Hex Fingerprint: ${fingerprint}`,
      `Subject: ${formatName(certificate.subject)}`,
      `Issuer: ${formatName(certificate.issuer)}`,
      `Serial Number: ${serialNumberHex(certificate)}`,
      ...(uri === undefined ? [] : [`URI: ${uri}`]),
      ...(selector === undefined ? [] : [`Selector: ${selector}`]),
      "",
    ].map((line) => `${line}\n`).join("");
  }));
  return `Matching identities\n${blocks.join("")}`;
}
