/**
 * Opens key and certificate once, like a session, and makes one test signature.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { SIGNING_ALGORITHMS } from "../../rolesanywhere/algorithms.ts";
import {
  type IdentitySource,
  MAX_CHAIN_LENGTH,
  openIdentity,
  readCertificates,
  readIntermediates,
} from "../../keystore/open_identity.ts";
import type { KeystoreContext, Signer } from "../../keystore/types.ts";
import type { Certificate } from "../../x509/certificate.ts";
import { selectEndEntity } from "../../x509/chain.ts";
import { buildChain } from "../../x509/path.ts";
import { sameBytes } from "../../x509/public_key.ts";
import { verifySignature } from "../../x509/verify_signature.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createKeystoreContext } from "../keystore_context.ts";
import type { System } from "../system.ts";

/** End-entity certificate and its issuers. */
export interface CertificateSet {
  readonly endEntity: Certificate;
  /** In the order to send. */
  readonly chain: readonly Certificate[];
  /** The issuers in the order of the files. */
  readonly given: readonly Certificate[];
}

/** Result of opening key and certificate. */
export interface OpenResult {
  readonly certificates?: CertificateSet;
  /** Result of verifying the test signature. */
  readonly signature?: "right" | "wrong";
  /** The error that was thrown. */
  readonly failure?: unknown;
}

/** Opens key and certificate. Returns an error instead of throwing it, except for `interrupted`. */
export async function openForDoctor(
  source: IdentitySource,
  values: FlagValues,
  system: System,
): Promise<OpenResult> {
  if (!source.certificate && !source.privateKey) return {};
  const context = promptOnce(createKeystoreContext(values, system));
  try {
    await using identity = await openIdentity(source, system.registry, context);
    const { certificate: endEntity, chain, signer } = identity;
    const existing = source.certificate && source.privateKey
      ? await readCertificates(source.certificate, system.registry, context)
      : signer.certificates;
    const given = await withIntermediates(source, existing, system, context);
    const certificates = { endEntity, chain, given: excludeCertificate(given, endEntity) };
    return { certificates, ...await trySignature(signer) };
  } catch (failure) {
    if (isInterruption(failure)) throw failure;
    const certificates = await readCertificatesOnly(source, system, context);
    return { failure, ...(certificates ? { certificates } : {}) };
  }
}

/** Returns true for the error of a prompt that a key or a signal ended. */
export function isInterruption(thrown: unknown): boolean {
  return thrown instanceof HelperError && thrown.code === "interrupted";
}

/** Prompts once for each question: reading the certificates without the key would prompt again. */
function promptOnce(context: KeystoreContext): KeystoreContext {
  const answers = new Map<string, Promise<string | undefined>>();
  return {
    ...context,
    prompt: (question) => {
      const known = answers.get(question);
      if (known) return Promise.resolve(undefined);
      const answer = context.prompt(question);
      answers.set(question, answer);
      return answer;
    },
  };
}

/** Reads the certificates if the key cannot be opened. */
async function readCertificatesOnly(
  source: IdentitySource,
  system: System,
  context: KeystoreContext,
): Promise<CertificateSet | undefined> {
  const place = source.certificate ?? source.privateKey;
  if (!place) return undefined;
  try {
    const read = await readCertificates(place, system.registry, context);
    const endEntity = selectEndEntity(read, system.now());
    const given = excludeCertificate(
      await withIntermediates(source, read, system, context).catch(() => read),
      endEntity,
    );
    return {
      endEntity,
      chain: (await buildChain(endEntity, given, MAX_CHAIN_LENGTH)).issuers,
      given,
    };
  } catch {
    return undefined; // the failure to open the key is reported already
  }
}

async function withIntermediates(
  source: IdentitySource,
  certificates: readonly Certificate[],
  system: System,
  context: KeystoreContext,
): Promise<readonly Certificate[]> {
  if (!source.intermediates) return certificates;
  return [
    ...certificates,
    ...await readIntermediates(source.intermediates, system.registry, context),
  ];
}

/** Returns the certificates except one, without duplicates. */
function excludeCertificate(certificates: readonly Certificate[], one: Certificate): Certificate[] {
  return certificates.filter(({ encoded }, i) =>
    !sameBytes(encoded, one.encoded) &&
    certificates.findIndex((other) => sameBytes(other.encoded, encoded)) === i
  );
}

async function trySignature(signer: Signer): Promise<OpenResult> {
  const { publicKey } = signer;
  const message = new TextEncoder().encode("aws_signing_helper doctor");
  const { digest } = SIGNING_ALGORITHMS[publicKey.keyType];
  const signature = await signer.sign(message, digest);
  const isRight = await verifySignature(publicKey, message, digest, signature);
  return { signature: isRight ? "right" : "wrong" };
}
