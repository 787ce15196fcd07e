/**
 * `read-certificate-data`: what a certificate in a file says.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { HelperError, messageOf } from "../errors.ts";
import { readCertificates } from "../keystore/select.ts";
import { SIGNING_ALGORITHMS } from "../rolesanywhere/algorithms.ts";
import { publicKeyOf } from "../x509/certificate.ts";
import { endEntityOf } from "../x509/chain.ts";
import type { FlagValues } from "./flag_values.ts";
import { certificateSource, keystoreContext } from "./keys.ts";
import type { World } from "./world.ts";

/** Prints the end-entity certificate's data as one line of JSON. */
export async function readCertificateData(values: FlagValues, world: World): Promise<void> {
  const source = certificateSource(values, world.platform);
  if (!source) throw new HelperError("usage", "--certificate is missing");
  const certificates = await readCertificates(
    source,
    world.registry,
    keystoreContext(values, world),
  );
  const certificate = endEntityOf(certificates);
  let keyType;
  try {
    ({ keyType } = publicKeyOf(certificate));
  } catch (cause) {
    throw new HelperError(
      "key-unsupported",
      `the key of the certificate in ${source.label}: ${messageOf(cause)}`,
      { cause },
    );
  }
  world.write(`${
    JSON.stringify({
      keyType: SIGNING_ALGORITHMS[keyType].keyType,
      certificateData: encodeBase64(certificate.encoded),
      serialNumber: String(certificate.serialNumber),
      supportedAlgorithms: SIGNING_ALGORITHMS[keyType].supportedAlgorithms,
    })
  }\n`);
}
