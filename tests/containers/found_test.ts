import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { runBinary } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";

const FOUND = fileURLToPath(new URL("../fixtures/found/", import.meta.url));

/** Files that people brought, by what their key is to do: sign, or be refused with this message. */
const KEYS: Readonly<Record<string, readonly [password: string | undefined, refused?: RegExp]>> = {
  "aria.p12": ["pw", /it uses ARIA-256-CBC, which is not supported/],
  "authorities-off-the-path/ks.p12": ["changeit"],
  "authorities-off-the-path/r.key": [undefined],
  "ci-variables/b64.p12": ["changeit"],
  "ci-variables/key.pem": [undefined],
  "glued/all.pem": [undefined],
  "glued/key.pem": [undefined],
  "gnutls/3des-pkcs12.p12": ["geheim"],
  "gnutls/aes-256.p12": ["geheim"],
  "gnutls/arcfour.p12": ["geheim", /it uses PBE-SHA1-RC4-128, which is not supported/],
  "gnutls/default.p12": ["pw"],
  "gnutls/pem.p12": ["geheim"],
  "java-keystores/ks.jceks": ["changeit", /it is a Java keystore \(JCEKS\)/],
  "java-keystores/ks.jks": ["changeit", /it is a Java keystore \(JKS\)/],
  "keytool-with-other-certificates/ks.p12": ["changeit"],
  "nss/AES_256_CBC.p12": ["p12pw"],
  "nss/CAMELLIA_256_CBC.p12": ["p12pw", /it uses CAMELLIA-256-CBC, which is not supported/],
  "nss/PKCS__12_V2_PBE_With_SHA_1_And_3KEY_Triple_DES_CBC.p12": ["p12pw"],
  "one-line-key/comb.pem": [undefined],
  "one-line-key/key.pem": [undefined],
  "one-line-key/rsa.pem": [undefined],
  "openssl-600000-iterations.p12": ["pw"],
  "renewed-same-key/both.p12": ["x"],
  "two-passwords/ks.p12": ["storepass", /its key has another password than the file/],
};

for (const [name, [password, refused]] of Object.entries(KEYS)) {
  testWith(
    ["binary"],
    `sign-string ${refused ? "names" : "signs with"} ${name}`,
    async () => {
      const { code, stdout, stderr } = await runBinary([
        ...["sign-string", "--private-key", `${FOUND}${name}`],
        ...(password === undefined ? [] : ["--pkcs8-password", `pass:${password}`]),
      ]);
      if (refused) {
        assertMatch(stderr, refused);
        assertEquals({ code, stdout }, { code: 3, stdout: "" });
      } else {
        assertEquals({ code, stderr }, { code: 0, stderr: "" });
        assertMatch(stdout, /^"[0-9a-f]{100,}"\n$/);
      }
    },
  );
}

testWith(
  ["binary"],
  "read-certificate-data reads every certificate of a CI variable",
  async () => {
    const folder = `${FOUND}ci-variables`;
    const read = (name: string) =>
      runBinary(["read-certificate-data", "--certificate", `${folder}/${name}`]);
    const expected = await read("indented.pem");
    assertEquals({ code: expected.code, stderr: expected.stderr }, { code: 0, stderr: "" });
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name)
      .filter((name) => /\.(?:pem|cer)$/.test(name) && name !== "key.pem");
    assertEquals(names.length, 11);
    for (const name of names) assertEquals(await read(name), expected, name);
  },
);
