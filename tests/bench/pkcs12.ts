import { resolve } from "node:path";
import { createAuthority } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";

const PASSWORD = "pass:password";
const ITERATIONS = 600_000;
const RUNS = 5;
/** Containers by their writer: options of `openssl pkcs12 -export`. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  "NSS, GnuTLS": [],
  "NSS, 3DES": ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"],
};

/** Makes PKCS#12 files of 600 000 iterations. Returns the commands that open each: openssl, then the program. */
export async function pkcs12Subjects(binary: string, directory: string) {
  const { keyPath, certificatePath } = await createAuthority(directory, { subject: "/CN=bench" });
  const subjects = [];
  for (const [kind, options] of Object.entries(KINDS)) {
    const path = resolve(directory, `${subjects.length}.p12`);
    // deno-fmt-ignore
    await openssl([
      "pkcs12", "-export", "-inkey", keyPath, "-in", certificatePath, "-passout", PASSWORD,
      "-iter", `${ITERATIONS}`, ...options, "-out", path,
    ]);
    const theirs = `openssl pkcs12, 600 000, ${kind}`;
    subjects.push({
      name: theirs,
      command: ["openssl", "pkcs12", "-in", path, "-nodes", "-passin", PASSWORD],
      runs: RUNS,
    }, {
      name: `sign-string, 600 000, ${kind}`,
      command: [binary, "sign-string", "--private-key", path, "--pkcs8-password", PASSWORD],
      against: theirs,
      target: 2,
      runs: RUNS,
    });
  }
  return subjects;
}
