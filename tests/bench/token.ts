/**
 * A token to measure with: SoftHSM with an EC key and its certificate.
 *
 * @module
 */
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { SOFTHSM } from "../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../support/soft_hsm.ts";

/** What `sign-string` needs to sign on the token; dispose of it. */
export interface TokenSubject extends Disposable {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Makes the token. Needs what `make tools` installs. */
export async function tokenSubject(): Promise<TokenSubject> {
  const hsm = new SoftHsm();
  try {
    const token = await hsm.token("bench");
    const authority = await createAuthority(hsm.directory, { subject: "/CN=Authority" });
    const leaf = await issueCertificate(authority, { subject: "/CN=leaf", keyType: "ec-p256" });
    await token.importKey(leaf.keyPath, { id: "01", label: "leaf" });
    await token.importCertificate(leaf.certificatePath, { id: "01", label: "leaf" });
  } catch (thrown) {
    hsm[Symbol.dispose]();
    throw thrown;
  }
  const uri = `pkcs11:token=bench;object=leaf?pin-value=${PIN}`;
  return {
    flags: ["--private-key", uri, "--pkcs11-lib", SOFTHSM],
    env: hsm.env,
    [Symbol.dispose]: () => hsm[Symbol.dispose](),
  };
}
