import { keystore } from "../../../plugins/file/mod.ts";
import type { KeystoreContext, Signer } from "../../../src/keystore/types.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { type Certificate, parseCertificate } from "../../../src/x509/certificate.ts";
import type { NonEmpty } from "../../../src/x509/chain.ts";
import { parsePem } from "../../../src/x509/pem.ts";
import { type ScriptedContext, scriptedContext } from "../../support/scripted_context.ts";

/** Creates a context with the passphrase of a flag, and answers to the prompts. */
export function passphraseContext(
  passphrase: string | undefined,
  answers?: readonly string[],
): ScriptedContext {
  return scriptedContext({ secrets: { "pkcs8-password": passphrase }, answers });
}

/** Opens the key in a file. Throws if it belongs to another keystore. */
export async function openKeyFile(
  path: string,
  context?: KeystoreContext,
  certificate?: Certificate,
): Promise<Signer> {
  const uri = parseKeystoreUri(path, "--private-key");
  const opened = await keystore.openKey(uri, context ?? scriptedContext(), certificate);
  if (!("sign" in opened)) throw new Error(`${path} is not a key of this keystore`);
  return opened;
}

/** Reads the certificates in a file. */
export async function readCertificateFile(
  path: string,
  context?: KeystoreContext,
): Promise<NonEmpty<Certificate>> {
  const uri = parseKeystoreUri(path, "--certificate");
  return await keystore.readCertificates(uri, context ?? scriptedContext());
}

/** Returns the first certificate of a PEM text. */
export function certificateOf(pem: string): Certificate {
  const block = parsePem(pem).find(({ label }) => label === "CERTIFICATE");
  if (!block) throw new Error("no certificate in the text");
  return parseCertificate(block.bytes);
}
