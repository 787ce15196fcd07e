import { Buffer } from "node:buffer";

import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { parsePem } from "../../src/x509/pem.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Returns the DER of the first block of a PEM text. */
export function derOf(pem: string): Uint8Array {
  const [block] = parsePem(pem);
  if (!block) throw new Error("no PEM block in what openssl made");
  return block.bytes;
}

/** Parses the certificate that was issued. */
export function read({ certificatePem }: { readonly certificatePem: string }): Certificate {
  return parseCertificate(derOf(certificatePem));
}

/** Issues a path of four certificates: `/CN=Root`, `/CN=Upper`, `/CN=Lower`, `/CN=Leaf`. */
export async function issuePath(directory: TemporaryDirectory) {
  const root = await createAuthority(directory, { subject: "/CN=Root" });
  const upper = await issueCertificate(root, { subject: "/CN=Upper", ca: true });
  const lower = await issueCertificate(upper, { subject: "/CN=Lower", ca: true });
  const leaf = await issueCertificate(lower, { subject: "/CN=Leaf" });
  return { root, upper, lower, leaf };
}

/** Makes a self-signed certificate with `openssl req` and `args`. Returns its DER. */
export async function selfSigned(...args: string[]): Promise<Uint8Array> {
  // deno-fmt-ignore
  return await openssl([
    "req", "-x509", "-batch", "-nodes", "-keyout", "/dev/null", "-outform", "DER",
    ...(args.includes("-newkey") ? [] : ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ...(args.includes("-subj") ? [] : ["-subj", "/CN=test"]),
    ...args,
  ]);
}

/** Returns the output of `openssl x509` for a DER certificate, without the last newline. */
export async function describe(certificate: Uint8Array, ...args: string[]): Promise<string> {
  const printed = await openssl(["x509", "-inform", "DER", "-noout", ...args], {
    stdin: Buffer.from(certificate),
  });
  return new TextDecoder().decode(printed).replace(/\n$/, "");
}
