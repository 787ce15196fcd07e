/**
 * Token for the benchmark: SoftHSM with an EC key and its certificate.
 *
 * @module
 */
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { compileFiller, SOFTHSM } from "../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../support/soft_hsm.ts";

/** Arguments for `sign-string` with the token; dispose of it. */
export interface TokenSubject extends Disposable {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const CERTIFICATES = 500;

/** Commands that list a token with many certificates: pkcs11-tool, then the program. */
export interface ListingSubjects extends Disposable {
  readonly subjects: readonly {
    readonly name: string;
    readonly command: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly runs: number;
    readonly against?: string;
    readonly target?: number;
  }[];
}

/** Makes a token with 500 certificates. Needs what `make tools` installs. */
export async function listingSubjects(binary: string): Promise<ListingSubjects> {
  const hsm = new SoftHsm();
  try {
    const { slot } = await hsm.token("many");
    const { certificatePath } = await createAuthority(hsm.directory, { subject: "/CN=many" });
    const der = await openssl(["x509", "-in", certificatePath, "-outform", "DER"]);
    const path = hsm.directory.write("many.der", der);
    await hsm.run(await compileFiller(), [slot, PIN, String(CERTIFICATES), path]);
    const theirs = `pkcs11-tool -O, ${CERTIFICATES}`;
    const common = { env: hsm.env, runs: 5 };
    return {
      subjects: [
        {
          name: theirs,
          command: ["pkcs11-tool", "--module", SOFTHSM, "--slot", slot, "-O"],
          ...common,
        },
        {
          name: `read-certificate-data, ${CERTIFICATES}`,
          command: [
            ...[binary, "read-certificate-data", "--certificate", "pkcs11:token=many"],
            ...["--pkcs11-lib", SOFTHSM],
          ],
          against: theirs,
          target: 3,
          ...common,
        },
      ],
      [Symbol.dispose]: () => hsm[Symbol.dispose](),
    };
  } catch (thrown) {
    hsm[Symbol.dispose]();
    throw thrown;
  }
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
