import { openssl } from "../support/openssl.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";
import { type Container, inParallel, PASSWORD, type Subject } from "./container.ts";

const LEGACY = ["-provider", "legacy", "-provider", "default"];
const PASSOUT = ["-passout", `pass:${PASSWORD}`];
/** Answers to `openssl pkcs12` and `openssl pkey`: the old password, the new one twice. */
const ANSWERS = [PASSWORD, PASSWORD, PASSWORD];

interface Making {
  readonly name: string;
  readonly args: readonly string[];
  readonly refused?: RegExp;
}

/** Ciphers of a bag, by what `-keypbe` and `-certpbe` call them. */
const READ = [
  ...["AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "DES-EDE3-CBC", "PBE-SHA1-3DES"],
  ...["PBE-SHA1-2DES", "PBE-SHA1-RC2-40", "PBE-SHA1-RC2-128", "NONE"],
];
const REFUSED = [
  ...["ARIA-128-CBC", "ARIA-192-CBC", "ARIA-256-CBC", "CAMELLIA-128-CBC", "CAMELLIA-192-CBC"],
  ...["CAMELLIA-256-CBC", "SM4-CBC", "PBE-SHA1-RC4-128", "PBE-SHA1-RC4-40"],
];
const MACS = ["sha1", "sha224", "sha256", "sha384", "sha512"];

const isNotSupported = (name: string) => new RegExp(`it uses ${name}, which is not supported`);

const PKCS12: readonly Making[] = [
  ...READ.flatMap((keyCipher) =>
    READ.map((certificateCipher) => ({
      name: `${keyCipher}-${certificateCipher}`,
      args: ["-keypbe", keyCipher, "-certpbe", certificateCipher],
    }))
  ),
  ...MACS.flatMap((hash) =>
    ["1", "1000", "100000"].map((iterations) => ({
      name: `mac-${hash}-${iterations}`,
      args: ["-macalg", hash, "-iter", iterations],
    }))
  ),
  ...[["sha512-256", "SHA-512/256"], ["sha3-256", "SHA3-256"], ["rmd160", "RIPEMD-160"]].map(
    ([hash = "", name = ""]) => ({
      name: `mac-${hash}`,
      args: ["-macalg", hash],
      refused: isNotSupported(`a MAC with ${name}`),
    }),
  ),
  { name: "no-mac", args: ["-nomac"] },
  { name: "600000", args: ["-iter", "600000"] },
  ...REFUSED.flatMap((cipher): Making[] => [
    { name: `key-${cipher}`, args: ["-keypbe", cipher], refused: isNotSupported(cipher) },
    { name: `certificate-${cipher}`, args: ["-certpbe", cipher], refused: isNotSupported(cipher) },
  ]),
];

const PKCS8: readonly Making[] = [
  ...["aria-256-cbc", "camellia-256-cbc", "camellia-128-cbc", "sm4-cbc"].map((cipher) => ({
    name: cipher,
    args: ["-v2", cipher],
    refused: isNotSupported(cipher.toUpperCase()),
  })),
  ...["PBE-SHA1-RC4-128", "PBE-SHA1-RC4-40"].map((cipher) => ({
    name: cipher,
    args: ["-v1", cipher],
    refused: isNotSupported(cipher),
  })),
  {
    name: "hmacWithSHA512-256",
    args: ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512-256"],
    refused: isNotSupported("HMAC with SHA-512/256"),
  },
  ...["bf-cbc", "cast5-cbc", "seed-cbc"].map((cipher) => ({
    name: cipher,
    args: ["-v2", cipher],
    refused: isNotSupported(cipher.toUpperCase()),
  })),
];

const TRADITIONAL: readonly Making[] = [
  ...["camellia128", "camellia192", "camellia256", "aria128", "aria192", "aria256"].map((
    cipher,
  ) => ({
    name: cipher,
    args: [`-${cipher}`],
    refused: isNotSupported(`${cipher.slice(0, -3).toUpperCase()}-${cipher.slice(-3)}-CBC`),
  })),
  ...["seed"].map((cipher) => ({
    name: cipher,
    args: [`-${cipher}`],
    refused: isNotSupported(`${cipher.toUpperCase()}-CBC`),
  })),
];

/** Makes what `openssl` writes: PKCS#12 of every pair of ciphers, and keys that are not read. */
export async function makeOpensslContainers(
  directory: TemporaryDirectory,
  subjects: readonly Subject[],
): Promise<Container[]> {
  const rows = subjects.flatMap(({ name: subject, keyPath, certificatePath, publicKeyPath }, i) => {
    const inputs = ["-inkey", keyPath, "-in", certificatePath];
    const row = (kind: string, { name, args, refused }: Making, command: readonly string[]) => ({
      name: `${subject} ${kind} ${name}`,
      path: directory.join(`${subject}-${kind}-${name}`),
      args: [...command, ...args, ...LEGACY, ...PASSOUT],
      publicKeyPath,
      password: PASSWORD,
      ...(refused ? { refused, conversion: ANSWERS } : {}),
    });
    const traditional = subject.startsWith("rsa") ? ["rsa", "-traditional"] : ["ec"];
    return [
      // Half of the pairs with each key.
      ...PKCS12.filter((_, n) => n % subjects.length === i)
        .map((making) => row("pkcs12", making, ["pkcs12", "-export", ...inputs])),
      ...PKCS8.map((making) => row("pkcs8", making, ["pkcs8", "-topk8", "-in", keyPath])),
      ...TRADITIONAL.map((making) => row("traditional", making, [...traditional, "-in", keyPath])),
    ];
  });
  return await inParallel(rows, async ({ args, ...container }) => {
    await openssl([...args, "-out", container.path]);
    return container;
  });
}
