import { openssl } from "../support/openssl.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";
import { type Container, PASSWORD, type Subject } from "./container.ts";

/** One way in which a file is damaged on its way. */
interface Damage {
  readonly name: string;
  /** Absent: what is read, and what it is done to. */
  readonly damage: (text: string) => string | Uint8Array;
  /** Expected message when the meaning is lost. */
  readonly refused?: RegExp;
}

const base64Of = (bytes: Uint8Array, lineLength = Infinity) => {
  const text = btoa(String.fromCharCode(...bytes));
  return lineLength === Infinity ? text : text.replace(/.{76}/g, "$&\n");
};
const encode = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string) =>
  Uint8Array.from([...`\ufeff${text}`].flatMap((c) => [
    c.charCodeAt(0) & 0xff,
    c.charCodeAt(0) >> 8,
  ]));

/** Damages of PEM in variables, secrets, forms, mails and editors. */
const PEM_DAMAGES: readonly Damage[] = [
  { name: "line breaks lost", damage: (pem) => pem.replaceAll("\n", "") },
  { name: "line breaks to blanks", damage: (pem) => pem.replaceAll("\n", " ") },
  { name: "line breaks escaped", damage: (pem) => pem.replaceAll("\n", "\\n") },
  { name: "line breaks escaped twice", damage: (pem) => pem.replaceAll("\n", "\\\\n") },
  { name: "JSON string", damage: (pem) => JSON.stringify(pem) },
  { name: "JSON object", damage: (pem) => JSON.stringify({ a: 1, pem }, undefined, 2) },
  {
    name: "JSON with escaped slashes",
    damage: (pem) => JSON.stringify(pem).replaceAll("/", "\\/"),
  },
  { name: "single quotes", damage: (pem) => `'${pem}'` },
  { name: "shell assignment", damage: (pem) => `export KEY="${pem}"\n` },
  { name: "YAML block", damage: (pem) => `key: |\n${pem.replace(/^/gm, "    ")}` },
  { name: "mail quote", damage: (pem) => pem.replace(/^/gm, "> ") },
  { name: "tabs", damage: (pem) => pem.replace(/^/gm, "\t") },
  { name: "trailing blanks", damage: (pem) => pem.replace(/$/gm, "  ") },
  { name: "Windows line breaks", damage: (pem) => pem.replaceAll("\n", "\r\n") },
  { name: "double line breaks", damage: (pem) => pem.replaceAll("\n", "\r\r\n") },
  { name: "byte order mark", damage: (pem) => `\ufeff${pem}` },
  { name: "UTF-16", damage: (pem) => utf16(pem) },
  { name: "blank in BEGIN", damage: (pem) => pem.replaceAll("-----BEGIN", "----- BEGIN") },
  { name: "blank in END", damage: (pem) => pem.replaceAll("-----END", "----- END") },
  { name: "first dash lost", damage: (pem) => pem.replace(/^-/, "") },
  {
    name: "pluses to blanks",
    damage: (pem) => pem.replace(/^[^-]+$/gm, (l) => l.replaceAll("+", " ")),
  },
  { name: "padding lost", damage: (pem) => pem.replace(/=+$/gm, "") },
  { name: "base64", damage: (pem) => base64Of(encode(pem)) },
  { name: "base64 in lines", damage: (pem) => base64Of(encode(pem), 76) },
  { name: "base64 without padding", damage: (pem) => base64Of(encode(pem)).replaceAll("=", "") },
  { name: "base64 in quotes", damage: (pem) => `"${base64Of(encode(pem))}"\n` },
  {
    name: "base64 of escaped line breaks",
    damage: (pem) => base64Of(encode(pem.replaceAll("\n", "\\n"))),
  },
  { name: "text around", damage: (pem) => `Hello,\n\nyour key:\n${pem}\nRegards\n-- \nMe\n` },
  {
    name: "end cut off",
    damage: (pem) => pem.slice(0, -40),
    refused: /no end line; the file may be truncated/,
  },
  {
    name: "shortened",
    damage: (pem) => pem.replace(/^(.{64}\n)(.{10}).*$/m, "$1$2..."),
    refused: /shortened with dots/,
  },
  {
    name: "masked",
    damage: () => "-----BEGIN PRIVATE KEY-----\n***\n-----END PRIVATE KEY-----\n",
    refused: /masked with asterisks/,
  },
  {
    name: "URL-encoded lines",
    damage: (pem) => pem.replace(/^[^-]+$/gm, encodeURIComponent).replace(/\n(?=M)/, "\n%2B"),
    refused: /URL-encoded/,
  },
];

/** Damages of binary files. */
const BINARY_DAMAGES: readonly {
  name: string;
  damage: (bytes: Uint8Array) => string | Uint8Array;
  refused?: RegExp;
}[] = [
  { name: "as it is", damage: (bytes) => bytes },
  { name: "base64", damage: (bytes) => base64Of(bytes) },
  { name: "base64 in lines", damage: (bytes) => base64Of(bytes, 76) },
  {
    name: "base64 with Windows line breaks",
    damage: (bytes) => base64Of(bytes, 76).replaceAll("\n", "\r\n"),
  },
  {
    name: "base64 with escaped line breaks",
    damage: (bytes) => base64Of(bytes, 76).replaceAll("\n", "\\n"),
  },
  { name: "base64 in quotes", damage: (bytes) => `'${base64Of(bytes)}'` },
  {
    name: "base64url",
    damage: (bytes) => base64Of(bytes).replaceAll("+", "-").replaceAll("/", "_"),
  },
];

/** Files of one container, damaged in every way. */
export async function makeDamagedContainers(
  directory: TemporaryDirectory,
  subjects: readonly Subject[],
): Promise<Container[]> {
  const containers: Container[] = [];
  const add = (
    subject: Subject,
    kind: string,
    name: string,
    contents: string | Uint8Array,
    more: Partial<Container>,
  ) => {
    const path = directory.write(`damaged-${containers.length}`, contents);
    const { publicKeyPath } = subject;
    containers.push({ name: `${subject.name} ${kind} ${name}`, path, publicKeyPath, ...more });
  };
  for (const subject of subjects) {
    const { keyPath, certificatePath } = subject;
    const key = await Deno.readTextFile(keyPath);
    const encrypted = new TextDecoder().decode(
      // deno-fmt-ignore
      await openssl([
        ...(subject.name.startsWith("rsa") ? ["rsa", "-traditional"] : ["ec"]),
        "-in", keyPath, "-aes256", "-passout", `pass:${PASSWORD}`,
      ]),
    );
    const combined = (await Deno.readTextFile(certificatePath)) + key;
    // deno-fmt-ignore
    const pkcs12 = await openssl([
      "pkcs12", "-export", "-inkey", keyPath, "-in", certificatePath, "-passout", `pass:${PASSWORD}`,
    ]);
    const pkcs8 = await openssl(["pkcs8", "-topk8", "-nocrypt", "-in", keyPath, "-outform", "DER"]);
    for (const { name, damage, refused } of PEM_DAMAGES) {
      const expected = refused ? { refused } : {};
      add(subject, "key", name, damage(key), expected);
      if (refused) continue;
      add(subject, "certificate and key", name, damage(combined), {});
      // A blank in a header is a blank.
      if (name === "pluses to blanks") continue;
      add(subject, "traditional", name, damage(encrypted), { password: PASSWORD });
    }
    for (const { name, damage } of BINARY_DAMAGES) {
      add(subject, "PKCS#12", name, damage(pkcs12), { password: PASSWORD });
      add(subject, "DER", name, damage(pkcs8), {});
    }
    const glued = `${key.trim()}${(await Deno.readTextFile(certificatePath)).trim()}`;
    add(subject, "key and certificate", "glued", glued, {});
    add(
      subject,
      "key and certificate",
      "glued, five dashes",
      glued.replace("----------", "-----"),
      {},
    );
    add(subject, "DER", "line break at the end", Uint8Array.from([...pkcs8, 10]), {});
    add(subject, "DER", "cut off", pkcs8.slice(0, -9), {
      refused: /it is truncated to \d+ of \d+ bytes; copy it again/,
    });
    add(subject, "DER", "other bytes after it", Uint8Array.from([...pkcs8, 1, 2]), {
      refused: /2 bytes follow its end; copy it again as binary/,
    });
    add(subject, "DER", "converted to UTF-8", new TextDecoder("windows-1252").decode(pkcs8), {
      refused: /changed by a conversion to text; copy it again as binary/,
    });
    add(subject, "DER", "opened as UTF-8", new TextDecoder().decode(pkcs8), {
      refused: /changed by a conversion to text; copy it again as binary/,
    });
  }
  const [subject] = subjects;
  if (subject) {
    add(subject, "no key", "web page", "<!DOCTYPE html><html></html>", { refused: /HTML or XML/ });
    add(subject, "no key", "ZIP", Uint8Array.of(80, 75, 3, 4, 0, 0), { refused: /ZIP archive/ });
    add(subject, "no key", "OpenSSH", "ssh-ed25519 AAAA me\n", {
      refused: /public key of OpenSSH/,
    });
  }
  return containers;
}
