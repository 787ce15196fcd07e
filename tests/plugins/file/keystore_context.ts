import { keystore } from "../../../plugins/file/mod.ts";
import type { KeystoreContext, Signer } from "../../../src/keystore/types.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { type Certificate, parseCertificate } from "../../../src/x509/certificate.ts";
import type { NonEmpty } from "../../../src/x509/chain.ts";
import { parsePem } from "../../../src/x509/pem.ts";
import { NO_CONTEXT } from "../../keystore/fake_keystore.ts";

/** What a test's user gives: a passphrase by flag, answers at the prompt, or nothing. */
export interface Given {
  readonly flag?: string;
  /** Answers to give in turn; absent: there is no terminal. */
  readonly answers?: readonly string[];
}

/** A context that answers from a script and keeps the questions it was asked. */
export interface ScriptedContext extends KeystoreContext {
  readonly questions: string[];
}

/** Makes a {@link ScriptedContext}. */
export function scriptedContext(given: Given = {}): ScriptedContext {
  const questions: string[] = [];
  return {
    ...NO_CONTEXT,
    questions,
    secret: () => Promise.resolve(given.flag),
    prompt: (question) => {
      questions.push(question);
      return Promise.resolve(given.answers?.[questions.length - 1]);
    },
  };
}

/** Opens the key in a file; fails if that belongs to another keystore. */
export async function openKeyFile(
  path: string,
  context?: KeystoreContext,
  beside?: Certificate,
): Promise<Signer> {
  const uri = parseKeystoreUri(path, "--private-key");
  const opened = await keystore.openKey(uri, context ?? scriptedContext(), beside);
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

/** The first certificate of a PEM text. */
export function certificateOf(pem: string): Certificate {
  const block = parsePem(pem).find(({ label }) => label === "CERTIFICATE");
  if (!block) throw new Error("no certificate in the text");
  return parseCertificate(block.bytes);
}
