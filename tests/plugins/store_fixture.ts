import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  issueCertificate,
  type KeyType,
} from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Certificate in the form of a store, and the file of its key. */
export interface StoreIdentity extends Authority {
  readonly encoded: Uint8Array;
}

/** Maker of certificates for stores. Its files are removed at the end of the process. */
export class StoreFixture {
  readonly directory = new TemporaryDirectory();
  readonly #authorities: Promise<[StoreIdentity, StoreIdentity]>;

  constructor() {
    globalThis.addEventListener("unload", () => this.directory[Symbol.dispose]());
    this.#authorities = this.#makeAuthorities();
  }

  async #makeAuthorities(): Promise<[StoreIdentity, StoreIdentity]> {
    const root = await createAuthority(this.directory, { subject: "/CN=Root" });
    const lower = await issueCertificate(root, { subject: "/CN=Lower", ca: true });
    return [await stored(root), await stored(lower)];
  }

  /** Root, and the authority below it that issues the other certificates. */
  get authorities(): Promise<[root: StoreIdentity, lower: StoreIdentity]> {
    return this.#authorities;
  }

  /** Issues an end-entity certificate with the lower authority. */
  async issue(
    keyType: KeyType,
    subject: string,
    request: Partial<CertificateRequest> = {},
  ): Promise<StoreIdentity> {
    const [, lower] = await this.#authorities;
    return await stored(await issueCertificate(lower, { subject, keyType, ...request }));
  }
}

/** Adds the DER of its certificate to an authority or identity. */
export async function stored(files: Authority): Promise<StoreIdentity> {
  const encoded = await openssl(["x509", "-in", files.certificatePath, "-outform", "DER"]);
  return { ...files, encoded };
}

/** Returns true if openssl verifies the signature. Digests have names like `sha256`. */
export async function opensslVerifies(
  fixture: StoreFixture,
  { certificatePath }: { readonly certificatePath: string },
  digest: string,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const key = await openssl(["x509", "-in", certificatePath, "-noout", "-pubkey"]);
  const keyPath = fixture.directory.write("public.pem", key);
  const signaturePath = fixture.directory.write("signature", signature);
  const output = await openssl(
    ["dgst", `-${digest}`, "-verify", keyPath, "-signature", signaturePath],
    { stdin: message, allowFailure: true },
  );
  return new TextDecoder().decode(output).includes("Verified OK");
}
