/**
 * Table of private-key files: every container and passphrase scheme that `openssl` 3.0 writes, for
 * every type of key. Unit tests and the end-to-end tests of the binary read the same table.
 *
 * @module
 */
import { createAuthority, type KeyType } from "../../support/certificates.ts";
import { openssl } from "../../support/openssl.ts";
import type { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** Kind of file, made by openssl from a plain key and its certificate. */
export interface KeyFileVariant {
  /** Unique; also the file's name. */
  readonly name: string;
  /** Absent: the file is not encrypted or needs no passphrase. */
  readonly passphrase?: string;
  /** Arguments of openssl without input, output and passphrase. */
  readonly arguments: readonly string[];
  /** Contents of the container. PKCS#12 files hold the certificate too. */
  readonly holds: "key" | "key and certificate";
  /** Absent: any key. */
  readonly only?: "rsa" | "ec";
  /** Made for every type of key; the others only for RSA 2048 and P-256. */
  readonly everyKeyType?: true;
}

/** File made by {@link makeKeyFiles}. */
export interface KeyFile extends KeyFileVariant {
  readonly path: string;
  readonly keyType: KeyType;
  readonly publicKeyPath: string;
  /** PEM; a self-signed certificate of the key. */
  readonly certificatePath: string;
}

const PASSPHRASE = "correct horse";
const LEGACY = ["-provider", "legacy", "-provider", "default"];
const KEY_TYPES: readonly KeyType[] = [
  "rsa-1024",
  "rsa-2048",
  "rsa-4096",
  "ec-p256",
  "ec-p384",
  "ec-p521",
];
const MAIN_KEY_TYPES: readonly KeyType[] = ["rsa-2048", "ec-p256"];

const PLAIN: readonly KeyFileVariant[] = [
  ["pkcs8.pem", ["pkcs8", "-topk8", "-nocrypt"]],
  ["pkcs8.der", ["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"]],
  ["pkcs1.pem", ["rsa", "-traditional"], "rsa"],
  ["pkcs1.der", ["rsa", "-traditional", "-outform", "DER"], "rsa"],
  ["sec1.pem", ["ec"], "ec"],
  ["sec1.der", ["ec", "-outform", "DER"], "ec"],
  ["sec1-without-public-key.pem", ["ec", "-no_public"], "ec"],
  ["sec1-compressed-point.pem", ["ec", "-conv_form", "compressed"], "ec"],
].map(([name, args, only]) => ({
  name: name as string,
  arguments: args as string[],
  holds: "key",
  everyKeyType: true,
  ...(only === undefined ? {} : { only: only as "rsa" | "ec" }),
}));

const PBES2: readonly KeyFileVariant[] = [
  ...["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des-ede3-cbc"].flatMap((cipher) =>
    ["hmacWithSHA1", "hmacWithSHA224", "hmacWithSHA256", "hmacWithSHA384", "hmacWithSHA512"].map(
      (prf) => encryptedPkcs8(`${cipher}-${prf}`, ["-v2", cipher, "-v2prf", prf]),
    )
  ),
  ...["aes-128-cbc", "aes-192-cbc", "aes-256-cbc"].map((cipher) =>
    encryptedPkcs8(`${cipher}-scrypt`, ["-v2", cipher, "-scrypt"])
  ),
  {
    ...encryptedPkcs8("aes-256-cbc-der", ["-v2", "aes-256-cbc", "-outform", "DER"]),
    everyKeyType: true,
  },
  {
    ...encryptedPkcs8("passphrase-not-ascii", ["-v2", "aes-256-cbc"]),
    passphrase: "päßwörd 🔑",
  },
];

const PBES1: readonly KeyFileVariant[] = [
  "PBE-MD5-DES",
  "PBE-SHA1-DES",
  "PBE-MD5-RC2-64",
  "PBE-SHA1-RC2-64",
  "PBE-SHA1-3DES",
  "PBE-SHA1-2DES",
  "PBE-SHA1-RC2-128",
  "PBE-SHA1-RC2-40",
].map((scheme) => encryptedPkcs8(scheme, ["-v1", scheme, ...LEGACY]));

const PROC_TYPE: readonly KeyFileVariant[] = ["aes128", "aes192", "aes256", "des3", "des"].flatMap(
  (cipher) => [
    {
      name: `proc-type-pkcs1-${cipher}.pem`,
      passphrase: PASSPHRASE,
      arguments: ["rsa", "-traditional", `-${cipher}`, ...LEGACY],
      holds: "key",
      only: "rsa",
    },
    {
      name: `proc-type-sec1-${cipher}.pem`,
      passphrase: PASSPHRASE,
      arguments: ["ec", `-${cipher}`, ...LEGACY],
      holds: "key",
      only: "ec",
    },
  ],
);

const PKCS12: readonly KeyFileVariant[] = [
  { ...pkcs12("modern", []), everyKeyType: true },
  { ...pkcs12("legacy", ["-legacy"]), everyKeyType: true },
  pkcs12("aes-128", ["-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC"]),
  pkcs12("mac-sha1", ["-macalg", "sha1"]),
  pkcs12("mac-sha384", ["-macalg", "sha384", "-iter", "5000"]),
  pkcs12("mac-sha512", ["-macalg", "sha512"]),
  pkcs12("without-mac", ["-nomac"]),
  pkcs12("3des", ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"]),
  pkcs12("rc2-128", ["-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128", ...LEGACY]),
  pkcs12("certificate-plain", ["-certpbe", "NONE"]),
  pkcs12("passphrase-not-ascii-modern", [], "päßwörd 🔑"),
  pkcs12("passphrase-not-ascii-legacy", ["-legacy"], "päßwörd 🔑"),
  withoutQuestion(pkcs12("empty-passphrase-modern", [], "")),
  withoutQuestion(pkcs12("empty-passphrase-legacy", ["-legacy"], "")),
  withoutQuestion(
    pkcs12("no-passphrase", ["-keypbe", "NONE", "-certpbe", "NONE", "-nomac"], ""),
  ),
];

/** Kinds of files. */
export const KEY_FILE_VARIANTS: readonly KeyFileVariant[] = [
  ...PLAIN,
  ...PBES2,
  ...PBES1,
  ...PROC_TYPE,
  ...PKCS12,
];

/** Makes a file for each valid pair of variant and type of key, in `directory`. */
export async function makeKeyFiles(directory: TemporaryDirectory): Promise<KeyFile[]> {
  const files: KeyFile[] = [];
  for (const keyType of KEY_TYPES) {
    const { keyPath, certificatePath } = await createAuthority(directory, {
      subject: `/CN=${keyType}`,
      keyType,
      ca: false,
    });
    const publicKeyPath = directory.join(`${keyType}-public.pem`);
    await openssl(["pkey", "-in", keyPath, "-pubout", "-out", publicKeyPath]);
    for (const variant of KEY_FILE_VARIANTS) {
      if (variant.everyKeyType !== true && !MAIN_KEY_TYPES.includes(keyType)) continue;
      if (variant.only !== undefined && !keyType.startsWith(variant.only)) continue;
      const path = directory.join(`${keyType}-${variant.name}`);
      await openssl([
        ...variant.arguments,
        ...input(variant, keyPath, certificatePath),
        "-out",
        path,
      ]);
      files.push({ ...variant, path, keyType, publicKeyPath, certificatePath });
    }
  }
  return files;
}

function input(variant: KeyFileVariant, keyPath: string, certificatePath: string): string[] {
  const passphrase = variant.passphrase ?? (variant.holds === "key" ? undefined : "");
  return [
    ...(variant.holds === "key" ? ["-in", keyPath] : ["-inkey", keyPath, "-in", certificatePath]),
    ...(passphrase === undefined ? [] : ["-passout", `pass:${passphrase}`]),
  ];
}

function encryptedPkcs8(name: string, args: readonly string[]): KeyFileVariant {
  return {
    name: `encrypted-pkcs8-${name}.${args.includes("DER") ? "der" : "pem"}`,
    passphrase: PASSPHRASE,
    arguments: ["pkcs8", "-topk8", ...args],
    holds: "key",
  };
}

function pkcs12(name: string, args: readonly string[], passphrase = PASSPHRASE): KeyFileVariant {
  return {
    name: `${name}.p12`,
    passphrase,
    arguments: ["pkcs12", "-export", ...args],
    holds: "key and certificate",
  };
}

function withoutQuestion({ passphrase: _, ...variant }: KeyFileVariant): KeyFileVariant {
  return variant;
}
