import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotMatch,
  assertThrows,
} from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";

import { formatPem, looksLikePem, parsePem, PemError } from "../../src/x509/pem.ts";

/** Bytes whose base64 has every character, and padding. */
const BYTES = Uint8Array.from({ length: 100 }, (_, i) => i < 48 ? i : 255 - 5 * (i - 48));
const CERTIFICATE = formatPem("CERTIFICATE", BYTES);

const ACCEPTED = {
  "as written": CERTIFICATE,
  "Windows line endings": CERTIFICATE.replaceAll("\n", "\r\n"),
  "old Macintosh line endings": CERTIFICATE.replaceAll("\n", "\r"),
  "mixed line endings": CERTIFICATE.replace("\n", "\r\n"),
  "no newline at the end": CERTIFICATE.trimEnd(),
  "text before and after": `subject=CN=a\n\n${CERTIFICATE}\nissuer=CN=b\n`,
  "leading blanks": CERTIFICATE.replace(/^/gm, " \t  "),
  "trailing blanks": CERTIFICATE.replace(/$/gm, " \t"),
  "blank lines inside": CERTIFICATE.replaceAll("\n", "\n\n"),
  "base64 on one line": CERTIFICATE.replace(/([^-])\n([^-])/g, "$1$2"),
  "base64 in lines of five": CERTIFICATE.replace(/^[^-].*$/gm, (l) => l.replace(/.{5}/g, "$&\n")),
  "no line breaks": CERTIFICATE.replaceAll("\n", ""),
  "blanks for line breaks": CERTIFICATE.replaceAll("\n", " "),
  "escaped line breaks": CERTIFICATE.replaceAll("\n", "\\n"),
  "line breaks escaped twice": CERTIFICATE.replaceAll("\n", "\\\\r\\\\n"),
  "line breaks as XML entities": CERTIFICATE.replaceAll("\n", "&#xD;&#10;"),
  "JSON's escapes": JSON.stringify({ crt: CERTIFICATE }).replaceAll("/", "\\/")
    .replaceAll("+", "\\u002b").replaceAll("=", "\\u003D"),
  "quotes around it": `'${CERTIFICATE}'`,
  "quotes around lines": CERTIFICATE.replace(/^.*$/gm, '"$&",'),
  "a mail's quotes": CERTIFICATE.replace(/^/gm, "> "),
  "backslashes at line ends": CERTIFICATE.replaceAll("\n", "\\\n"),
  "quoted-printable padding": CERTIFICATE.replaceAll("==\n", "=3D=3D\n"),
  "no padding": CERTIFICATE.replaceAll("==\n", "\n"),
  "the URL alphabet": `-----BEGIN CERTIFICATE-----\n${
    encodeBase64(BYTES).replaceAll("+", "-").replaceAll("/", "_")
  }\n-----END CERTIFICATE-----\n`,
  "blanks for pluses": CERTIFICATE.replaceAll("+", " "),
  "blanks in the markers": CERTIFICATE.replaceAll("-----BEGIN ", "----- BEGIN  ")
    .replaceAll("CERTIFICATE-----", "CERTIFICATE -----"),
  "the first dashes lost": CERTIFICATE.replace(/^-/gm, ""),
  "one dash more": CERTIFICATE.replaceAll("-----", "------"),
  "a marker over two lines": CERTIFICATE.replace("BEGIN ", "BEGIN\n"),
  "invisible characters": CERTIFICATE.replace(/^[^-].{9}/gm, "$&\u200b\u00ad\u00a0\ufeff"),
  "a comment that names the marker": `# after the -----BEGIN CERTIFICATE----- line\n${CERTIFICATE}`,
  "a comment that names the marker in quotes": `see "-----BEGIN CERTIFICATE-----".\n${CERTIFICATE}`,
  "a comment that names both markers":
    `Paste from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----:\n${CERTIFICATE}`,
  "prose between the markers of a comment":
    `# -----BEGIN CERTIFICATE----- and all of the text to -----END CERTIFICATE-----\n${CERTIFICATE}`,
  "a comment that begins with the marker":
    `-----BEGIN CERTIFICATE----- is the first line\n${CERTIFICATE}`,
  "a comment after it that names the marker":
    `${CERTIFICATE}# the next -----BEGIN CERTIFICATE----- goes here\n`,
  "an older block commented out": CERTIFICATE.replace(/^(?=.)/gm, "# ") + CERTIFICATE,
  "an older key commented out": formatPem("PRIVATE KEY", BYTES).replace(/^(?=.)/gm, "## ") +
    CERTIFICATE,
  "a byte order mark's line before": `\ufeffBag Attributes\n${CERTIFICATE}`,
};

for (const [how, text] of Object.entries(ACCEPTED)) {
  Deno.test(`parsePem() finds the block when it comes with ${how}`, () => {
    const blocks = parsePem(text);
    assertEquals(blocks.length, 1);
    assertEquals(blocks[0]?.label, "CERTIFICATE");
    assertEquals(blocks[0]?.bytes, BYTES);
    assertEquals(blocks[0]?.headers.size, 0);
  });
}

Deno.test("parsePem() returns all blocks in order when there are several kinds", () => {
  const text = ["EC PARAMETERS", "EC PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"]
    .map((label, i) => formatPem(label, Uint8Array.of(i + 1))).join("# between\n");
  assertEquals(parsePem(text).map(({ label, bytes }) => [label, bytes[0]]), [
    ["EC PARAMETERS", 1],
    ["EC PRIVATE KEY", 2],
    ["CERTIFICATE", 3],
    ["CERTIFICATE", 4],
  ]);
});

Deno.test("parsePem() returns the headers of an RFC 1421 block and excludes them from the bytes", () => {
  const text = CERTIFICATE.replace(
    "-----\n",
    "-----\nProc-Type: 4,ENCRYPTED\r\nDEK-Info:  AES-128-CBC,00FF  \n\n",
  );
  const [block] = parsePem(text);
  assertEquals([...block?.headers ?? []], [
    ["Proc-Type", "4,ENCRYPTED"],
    ["DEK-Info", "AES-128-CBC,00FF"],
  ]);
  assertEquals(block?.bytes, BYTES);
});

const TRADITIONAL = `-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF

${encodeBase64(BYTES)}
-----END RSA PRIVATE KEY-----
`;

for (
  const [how, lineBreak] of [["as written", "\n"], ["blanks", " "], ["escapes", "\\n"], [
    "nothing",
    "",
  ]] as const
) {
  Deno.test(`parsePem() finds the headers of an encrypted key when its line breaks are ${how}`, () => {
    const [block] = parsePem(TRADITIONAL.replaceAll("\n", lineBreak));
    assertEquals([...block?.headers ?? []], [
      ["Proc-Type", "4,ENCRYPTED"],
      ["DEK-Info", "AES-128-CBC,00112233445566778899AABBCCDDEEFF"],
    ]);
    assertEquals(block?.bytes, BYTES);
  });
}

Deno.test("parsePem() separates blocks that are glued together", () => {
  const [key, certificate] = ["PRIVATE KEY", "CERTIFICATE"].map((label) =>
    formatPem(label, BYTES).trim()
  );
  for (const glue of ["", "x", "\\n", " "]) {
    const blocks = parsePem(`${key}${glue}${certificate}${glue}${key}`);
    assertEquals(blocks.map(({ label }) => label), ["PRIVATE KEY", "CERTIFICATE", "PRIVATE KEY"]);
  }
  const shared = `${key}${certificate}`.replace("----------", "-----");
  assertEquals(parsePem(shared).map(({ bytes }) => bytes), [BYTES, BYTES]);
});

const NAMED: Readonly<Record<string, readonly [damage: string, message: RegExp]>> = {
  "dots": ["...", /shortened with dots/],
  "asterisks": ["****", /masked with asterisks/],
  "URL encoding": ["%2B%0A", /URL-encoded/],
  "HTML": ["<br>", /HTML or XML/],
  "replacement characters": ["\ufffd", /lost characters/],
};

for (const [what, [damage, message]] of Object.entries(NAMED)) {
  Deno.test(`parsePem() names the damage when there are ${what} in the base64`, () => {
    const text = CERTIFICATE.replace(/\n(.{20})/, `\n$1${damage}`);
    assertMatch(assertThrows(() => parsePem(text), PemError).message, message);
  });
}

Deno.test("parsePem() returns nothing when there is no block", () => {
  assertEquals(parsePem(""), []);
  assertEquals(parsePem("-----END CERTIFICATE-----\nBEGIN CERTIFICATE\n"), []);
});

const SECRET = "c2VjcmV0IGtleSBtYXRlcmlhbA==";
const REFUSED = {
  "the end line is missing": `-----BEGIN PRIVATE KEY-----\n${SECRET}\n`,
  "the end line has another label":
    `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END CERTIFICATE-----\n`,
  "another block begins inside":
    `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----BEGIN X-----\nAA==\n-----END X-----\n-----END PRIVATE KEY-----\n`,
  "the same block begins twice":
    `-----BEGIN PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`,
  "it is not base64": `-----BEGIN PRIVATE KEY-----\n${SECRET}!\n-----END PRIVATE KEY-----\n`,
  "base64 continues after the padding":
    `-----BEGIN PRIVATE KEY-----\n${SECRET}${SECRET}\n-----END PRIVATE KEY-----\n`,
  "it is empty": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
  "it has only a header":
    "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END PRIVATE KEY-----\n",
};

for (const [why, text] of Object.entries(REFUSED)) {
  Deno.test(`parsePem() throws PemError naming the label, not the contents, when ${why}`, () => {
    const error = assertThrows(() => parsePem(text), PemError, "PRIVATE KEY");
    assertNotMatch(error.message, /c2Vj/);
  });
}

const KEY = formatPem("PRIVATE KEY", BYTES).trimEnd();
const BASE64 = encodeBase64(BYTES);

/** Texts with the key's base64 in the place of a label or on its own line. */
const WITHOUT_LINE_BREAKS = {
  "line breaks were lost": KEY.replaceAll("\n", ""),
  "line breaks became blanks": KEY.replaceAll("\n", " "),
  "line breaks became the characters \\n": KEY.replaceAll("\n", "\\n"),
  "the break after the BEGIN line was lost": KEY.replace("\n", ""),
  "two of them have no line breaks": `${KEY}${KEY}`.replaceAll("\n", ""),
  "blocks are glued together": `${KEY}${KEY}`,
  "the base64 became the label": `-----BEGIN ${BASE64.slice(0, 40)}-----\n`,
  "the base64 became the label of a whole block": `-----BEGIN ${
    BASE64.slice(0, 40)
  }-----\n!\n-----END ${BASE64.slice(0, 40)}-----\n`,
  "the base64 became the END label": `-----BEGIN PRIVATE KEY-----\n-----END ${BASE64}-----\n`,
};

for (const [why, text] of Object.entries(WITHOUT_LINE_BREAKS)) {
  Deno.test(`parsePem() repeats nothing of a key whose text is damaged: ${why}`, () => {
    let message = "";
    try {
      parsePem(text);
    } catch (thrown) {
      assertInstanceOf(thrown, PemError);
      message = thrown.message;
    }
    assertEquals(windowsOf(BASE64, 4).filter((part) => message.includes(part)), []);
  });
}

function windowsOf(text: string, length: number): string[] {
  return Array.from({ length: text.length - length + 1 }, (_, i) => text.slice(i, i + length));
}

Deno.test("parsePem() throws PemError or finds no block when the text is truncated anywhere", () => {
  for (let length = 0; length < CERTIFICATE.trimEnd().length; length++) {
    const cut = CERTIFICATE.slice(0, length);
    if (/^-----BEGIN CERTIFICATE-----/.test(cut)) assertThrows(() => parsePem(cut), PemError);
    else assertEquals(parsePem(cut), []);
  }
});

Deno.test("looksLikePem() is true only when a block begins somewhere", () => {
  assertEquals(looksLikePem(`text\n${CERTIFICATE}`), true);
  assertEquals(looksLikePem("0\x82\x01"), false);
});

Deno.test("formatPem() writes lines of 64 characters and what parsePem() reads back", () => {
  assertEquals(CERTIFICATE.split("\n").map((line) => line.length), [27, 64, 64, 8, 25, 0]);
  for (const length of [1, 47, 48, 49, 96, 1000]) {
    const bytes = new Uint8Array(length).fill(0xa5);
    assertEquals(parsePem(formatPem("X", bytes))[0]?.bytes, bytes);
  }
});

const FOUR_MEGABYTES = 4 << 20;
const fill = (unit: string) => unit.repeat(Math.floor(FOUR_MEGABYTES / unit.length));
const BLOCK = "-----BEGIN A-----\nAA==\n-----END A-----\n";
const around = (body: string) => `-----BEGIN A-----\n${body}\n-----END A-----\n`;

/** Texts for which quadratic time would be minutes, with the result of each. */
const HOSTILE: Record<string, { text: string; outcome: string }> = {
  "small blocks": {
    text: fill(BLOCK),
    outcome: `${Math.floor(FOUR_MEGABYTES / BLOCK.length)} blocks`,
  },
  "begin lines without an end": { text: fill("-----BEGIN A-----\n"), outcome: "PemError" },
  "begin lines of different labels": {
    text: Array.from({ length: 150_000 }, (_, i) => `-----BEGIN ${i}-----\n`).join(""),
    outcome: "PemError",
  },
  "end lines": { text: fill("-----END A-----\n"), outcome: "0 blocks" },
  "empty lines": { text: fill("\n"), outcome: "0 blocks" },
  "dashes on one line": { text: `-----BEGIN ${fill("-")}x`, outcome: "0 blocks" },
  "blanks after a begin line": { text: `-----BEGIN A-----${fill(" ")}x`, outcome: "PemError" },
  "dashes and blanks": { text: fill("-----   "), outcome: "0 blocks" },
  "backslashes": { text: around(fill("\\")), outcome: "PemError" },
  "entities": { text: around(fill("&#10;")), outcome: "PemError" },
  "blanks before a dash": { text: fill(`-----BEGIN A${" ".repeat(70)}-`), outcome: "0 blocks" },
  "blanks before nothing": { text: fill(" "), outcome: "0 blocks" },
  "header lines": { text: around(`${fill("A: b\n")}\nAA==`), outcome: "1 blocks" },
  "blanks inside one header": {
    text: around(`A: b${fill(" ")}c\n\nAA==`),
    outcome: "1 blocks",
  },
  "one line of base64": { text: around(fill("AAAA")), outcome: "1 blocks" },
};

for (const [what, { text, outcome }] of Object.entries(HOSTILE)) {
  Deno.test(`parsePem() takes linear time when 4 MB are ${what}`, async () => {
    assertEquals(await parseInWorker(text, 30_000), outcome);
  });
}

/** Returns the outcome of `parsePem` in a worker, which is terminated after the time. */
async function parseInWorker(text: string, milliseconds: number): Promise<string> {
  const worker = new Worker(import.meta.resolve("./parse_pem_worker.ts"), { type: "module" });
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(`no result after ${milliseconds} ms`), milliseconds);
  worker.addEventListener("message", ({ data }) => resolve(String(data)));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    resolve(event.message);
  });
  worker.postMessage(text);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}
