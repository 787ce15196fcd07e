import { Buffer } from "node:buffer";

import { parsePem } from "../../src/x509/pem.ts";
import { openssl } from "../support/openssl.ts";

/** The DER of the first block of a PEM text. */
export function derOf(pem: string): Uint8Array {
  const [block] = parsePem(pem);
  if (!block) throw new Error("no PEM block in what openssl made");
  return block.bytes;
}

/** Makes a self-signed certificate with `openssl req` and gives its DER; `args` shape it. */
export async function selfSigned(...args: string[]): Promise<Uint8Array> {
  // deno-fmt-ignore
  return await openssl([
    "req", "-x509", "-batch", "-nodes", "-keyout", "/dev/null", "-outform", "DER",
    ...(args.includes("-newkey") ? [] : ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ...(args.includes("-subj") ? [] : ["-subj", "/CN=test"]),
    ...args,
  ]);
}

/** What `openssl x509` prints about a DER certificate, without the last newline. */
export async function describe(certificate: Uint8Array, ...args: string[]): Promise<string> {
  const printed = await openssl(["x509", "-inform", "DER", "-noout", ...args], {
    stdin: Buffer.from(certificate),
  });
  return new TextDecoder().decode(printed).replace(/\n$/, "");
}
