/**
 * Key files for canary runs: every container, intact and damaged.
 *
 * @module
 */
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";
import { encodePublicArea } from "../plugins/tpm/public_areas.ts";
import { type CertificateFiles, issueCertificate } from "./certificates.ts";
import { issueMldsaCertificate } from "./mldsa_certificate.ts";
import { openssl } from "./openssl.ts";
import { SecretWindows } from "./secret_windows.ts";
import type { SessionScenario } from "./session_scenario.ts";
import { tss2Pem } from "./tpm/tss2_pem.ts";

/** A private key in one container, with its certificate. */
export interface CanaryKey {
  readonly certificatePath: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The file's content except the public parts in its certificate. */
  readonly secrets: SecretWindows;
}

type Maker = (scenario: SessionScenario, passphrase: string) => Promise<CanaryKey>;

const out = async (args: readonly string[]) => await openssl(args);

function withSecrets(
  { certificatePath, certificatePem }: Pick<CertificateFiles, "certificatePath" | "certificatePem">,
  bytes: Uint8Array,
): CanaryKey {
  const text = new TextDecoder().decode(bytes);
  const secrets = new SecretWindows();
  const blocks = [...text.matchAll(/-----BEGIN ([^-]*)-----(.*?)-----END/gs)];
  for (const [, label = "", body = ""] of blocks) {
    if (label === "CERTIFICATE") continue;
    const base64 = body.split("\n").filter((line) => !line.includes(":")).join("");
    secrets.addText("the key's base64", base64).addBytes("the key", decodeBase64(base64));
  }
  if (blocks.length === 0) secrets.addBytes("the key", bytes);
  const certificate = certificatePem.replace(/-----[^-]*-----|\s/g, "");
  secrets.except(certificate).except(encodeHex(decodeBase64(certificate)));
  return { certificatePath, bytes: Uint8Array.from(bytes), secrets };
}

const ec: Maker = async ({ trustAnchor }) => {
  const files = await issueCertificate(trustAnchor, { subject: "/CN=canary" });
  return withSecrets(files, Deno.readFileSync(files.keyPath));
};

/** Makes a container with openssl from a new key; `args` takes the paths of key and certificate. */
const made = (
  keyType: "ec-p256" | "rsa-2048",
  args: (key: string, certificate: string, passphrase: string) => readonly string[],
): Maker =>
async ({ trustAnchor }, passphrase) => {
  const files = await issueCertificate(trustAnchor, { subject: "/CN=canary", keyType });
  return withSecrets(files, await out(args(files.keyPath, files.certificatePath, passphrase)));
};

/** Containers by name. Those with a passphrase are encrypted with it. */
export const CANARY_KEYS: Readonly<Record<string, Maker>> = {
  "PKCS#8": ec,
  "SEC1": made("ec-p256", (key) => ["ec", "-in", key]),
  "PKCS#1": made("rsa-2048", (key) => ["rsa", "-in", key, "-traditional"]),
  "PKCS#8 in DER": made("ec-p256", (key) => [
    ...["pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER"],
  ]),
  "encrypted PKCS#8": made("ec-p256", (key, _, passphrase) => [
    ...["pkcs8", "-topk8", "-in", key, "-passout", `pass:${passphrase}`],
  ]),
  "Proc-Type": made("rsa-2048", (key, _, passphrase) => [
    ...["rsa", "-in", key, "-traditional", "-aes128", "-passout", `pass:${passphrase}`],
  ]),
  "PKCS#12": made("ec-p256", (key, certificate, passphrase) => [
    ...["pkcs12", "-export", "-inkey", key, "-in", certificate, "-passout", `pass:${passphrase}`],
  ]),
  "PKCS#12 without password": made("ec-p256", (key, certificate) => [
    ...["pkcs12", "-export", "-inkey", key, "-in", certificate, "-passout", "pass:"],
    ...["-keypbe", "NONE", "-certpbe", "NONE", "-nomac"],
  ]),
  "key and certificate": async (scenario, passphrase) => {
    const key = await ec(scenario, passphrase);
    const text = new TextDecoder().decode(key.bytes) + Deno.readTextFileSync(key.certificatePath);
    return { ...key, bytes: new TextEncoder().encode(text) };
  },
  "ML-DSA": async ({ trustAnchor }) => {
    const files = await issueMldsaCertificate(trustAnchor, { subject: "/CN=canary", level: 44 });
    return withSecrets(files, new TextEncoder().encode(files.keyPem));
  },
  "TSS2": ({ identity }) => {
    const pem = tss2Pem({
      parent: 0x81000001,
      publicArea: encodePublicArea(),
      privateArea: crypto.getRandomValues(new Uint8Array(96)),
    });
    return Promise.resolve(withSecrets(identity, new TextEncoder().encode(pem)));
  },
};

type Damage = (text: string) => string;

const lines = (text: string, by: string) => text.trimEnd().replaceAll("\n", by);
const bodyOf = (text: string) => /-----\n(.*?)-----END/s.exec(text)?.[1]?.replace(/\n/g, "") ?? "";

/** Ways to damage a text; a binary container is damaged as base64. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  "good": (text) => text,
  "truncated": (text) => text.slice(0, text.length * 0.6),
  "on one line": (text) => lines(text, ""),
  "with blanks for line breaks": (text) => lines(text, " "),
  "with \\n for line breaks": (text) => lines(text, "\\n"),
  "in quotes": (text) => `"${text}"`,
  "glued to itself": (text) => text.trimEnd() + text,
  "with the base64 as label": (text) => `-----BEGIN ${bodyOf(text).slice(0, 44)}-----\nAA==\n`,
  "with the base64 in the END line": (text) =>
    text.replace(/-----END .*-----/, () => `-----END ${bodyOf(text).slice(0, 60)}-----`),
  "with four dashes": (text) => text.replaceAll("KEY-----", "KEY----"),
  "with a foreign character": (text) => text.slice(0, 90) + "!" + text.slice(90),
  "as base64 of the file": (text) => encodeBase64(text),
  "as JSON": (text) => JSON.stringify({ key: text }),
  "as INI": (text) =>
    `[default]\naws_session_token = ${lines(text, "\n  ")}\n[${lines(text, "")}]\n`,
};

/** Returns the file, damaged. */
export function damaged(bytes: Uint8Array<ArrayBuffer>, damage: Damage): Uint8Array<ArrayBuffer> {
  const isText = bytes[0] !== 0x30;
  if (!isText && damage === DAMAGES["good"]) return bytes;
  const text = isText ? new TextDecoder().decode(bytes) : encodeBase64(bytes);
  return new TextEncoder().encode(damage(text));
}
