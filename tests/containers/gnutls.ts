import { runProgram } from "../support/binary.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";
import { type Container, inParallel, PASSWORD, type Subject } from "./container.ts";

/** Values of certtool's `--pkcs-cipher`. */
const CIPHERS = ["default", "3des-pkcs12", "3des", "aes-128", "aes-192", "aes-256", "rc2-40"];
const RC4 = "arcfour";
const ANSWERS = [PASSWORD, PASSWORD, PASSWORD];
const REFUSED = {
  refused: /it uses PBE-SHA1-RC4-128, which is not supported/,
  conversion: ANSWERS,
};

/** Makes what GnuTLS's `certtool` writes: PKCS#12 and PKCS#8, DER and PEM. */
export async function makeGnutlsContainers(
  directory: TemporaryDirectory,
  subjects: readonly Subject[],
): Promise<Container[]> {
  const rows = subjects.flatMap(({ name: subject, keyPath, certificatePath, publicKeyPath }, i) =>
    [...CIPHERS, RC4].flatMap((cipher, n) => {
      const choice = cipher === "default" ? [] : ["--pkcs-cipher", cipher];
      const common = {
        publicKeyPath,
        password: PASSWORD,
        ...(cipher === RC4 ? REFUSED : {}),
      };
      const row = (name: string, args: readonly string[]) => ({
        ...common,
        name: `${subject} ${name} ${cipher}`,
        path: directory.join(`${subject}-${name}-${cipher}`),
        args: [...args, ...choice, "--load-privkey", keyPath],
      });
      const pkcs12 = [
        ...["--to-p12", "--load-certificate", certificatePath, "--p12-name", "me"],
      ];
      // Each takes certtool a second: DER with one key, PEM with the other.
      return n % subjects.length === i
        ? [row("p12", [...pkcs12, "--outder"]), row("p8", ["--to-p8"])]
        : [row("p12-pem", pkcs12), row("p8-der", ["--to-p8", "--outder"])];
    })
  );
  return await inParallel(rows, async ({ args, ...container }) => {
    const { code, stderr } = await runProgram("certtool", [
      ...args,
      ...["--password", PASSWORD, "--outfile", container.path],
    ]);
    if (code !== 0) throw new Error(`certtool: ${stderr}`);
    return container;
  });
}
