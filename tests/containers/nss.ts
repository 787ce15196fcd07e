import { runProgram } from "../support/binary.ts";
import { openssl } from "../support/openssl.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";
import { type Container, inParallel, PASSWORD, type Subject } from "./container.ts";

/** NSS's names of ciphers; the last ones are not read. */
const READ = [
  ...["AES-128-CBC", "AES-192-CBC", "AES-256-CBC"],
  ...["3KEY Triple DES-CBC", "128 Bit RC2 CBC", "40 Bit RC2 CBC"]
    .map((cipher) => `PKCS #12 V2 PBE With SHA-1 And ${cipher}`),
];
const REFUSED: Readonly<Record<string, string>> = {
  "CAMELLIA-128-CBC": "CAMELLIA-128-CBC",
  "CAMELLIA-256-CBC": "CAMELLIA-256-CBC",
  "PKCS #12 V2 PBE With SHA-1 And 128 Bit RC4": "PBE-SHA1-RC4-128",
  "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC4": "PBE-SHA1-RC4-40",
};
const MACS = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];

/** Makes what `pk12util` writes, as Firefox and Thunderbird do: 600 000 iterations each. */
export async function makeNssContainers(
  directory: TemporaryDirectory,
  subjects: readonly Subject[],
): Promise<Container[]> {
  const database = `sql:${directory.join("nss")}`;
  await Deno.mkdir(directory.join("nss"));
  await run("certutil", ["-N", "-d", database, "--empty-password"]);
  for (const { name, keyPath, certificatePath } of subjects) {
    const path = directory.join(`${name}.import.p12`);
    // deno-fmt-ignore
    await openssl([
      "pkcs12", "-export", "-inkey", keyPath, "-in", certificatePath, "-name", name,
      "-passout", `pass:${PASSWORD}`, "-out", path,
    ]);
    await run("pk12util", ["-i", path, "-d", database, "-W", PASSWORD]);
  }
  const rows = subjects.flatMap(({ name: subject, publicKeyPath }, i) => {
    const row = (name: string, args: readonly string[], cipher?: string) => ({
      name: `${subject} ${name}`,
      path: directory.join(`nss-${subject}-${name}`.replaceAll(/[ #]/g, "_")),
      args: [...args, "-n", subject],
      publicKeyPath,
      password: PASSWORD,
      ...(cipher
        ? {
          refused: new RegExp(`it uses ${cipher}, which is not supported`),
          conversion: [PASSWORD, PASSWORD, PASSWORD],
        }
        : {}),
    });
    const isMine = (_: unknown, n: number) => n % subjects.length === i;
    return [
      row("default", []),
      ...READ.filter(isMine).map((cipher) => row(cipher, ["-c", cipher, "-C", cipher])),
      ...MACS.filter(isMine).map((mac) => row(`mac ${mac}`, ["-M", mac])),
      ...Object.entries(REFUSED).filter(isMine).flatMap(([cipher, name]) => [
        row(`key ${cipher}`, ["-c", cipher], name),
        row(`certificate ${cipher}`, ["-C", cipher], name),
      ]),
    ];
  });
  return await inParallel(rows, async ({ args, ...container }) => {
    await run("pk12util", ["-o", container.path, "-d", database, "-W", PASSWORD, ...args]);
    return container;
  });
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${stdout}${stderr}`);
}
