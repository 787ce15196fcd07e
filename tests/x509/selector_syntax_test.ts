import { assert, assertEquals, assertMatch } from "@std/assert";

import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { matchesSelector, parseSelector } from "../../src/x509/selector.ts";
import { formatSelector, readSelectorArguments } from "../../src/x509/selector_syntax.ts";
import { runProgram } from "../support/binary.ts";
import { nearTwins } from "./near_twins.ts";
import { selfSigned } from "./test_certificates.ts";

const template = parseCertificate(await selfSigned());

/** Returns the certificates that the arguments select. */
async function selected(args: readonly string[], certificates: readonly Certificate[]) {
  const selector = parseSelector(readSelectorArguments(args));
  const matches = await Promise.all(certificates.map((one) => matchesSelector(selector, one)));
  return certificates.filter((_, i) => matches[i]);
}

for (const seed of [1, 2, 3]) {
  const twins = nearTwins(template, 200, seed);

  Deno.test(`formatSelector() names exactly its certificate among 200 near-twins, seed ${seed}`, async () => {
    for (const twin of twins) {
      const selector = await formatSelector(twin, twins);
      const quoted = await selected([selector], twins);
      assertEquals(quoted.length, 1, selector);
      assert(quoted[0] === twin, selector);
      const bare = await selected([selector.slice(1, -1)], twins);
      assert(bare.length === 1 && bare[0] === twin, selector);
    }
  });

  Deno.test(`formatSelector() returns text that a shell does not change, seed ${seed}`, async () => {
    const selectors = await Promise.all(twins.map((twin) => formatSelector(twin, twins)));
    for (const shell of ["sh", "bash"]) {
      const script = selectors.map((selector) => `printf '%s\\0' ${selector}`).join("\n");
      const { code, stdout } = await runProgram(shell, ["-c", script]);
      assertEquals(code, 0);
      assertEquals(stdout.split("\0").slice(0, -1), selectors.map((text) => text.slice(1, -1)));
    }
  });
}

Deno.test("formatSelector() returns one printable line that a shell does not expand", async () => {
  const twins = nearTwins(template, 200, 4);
  for (const twin of twins) {
    const selector = await formatSelector(twin, twins);
    assertMatch(selector, /^"Key=[^"\p{C}\p{Zl}\p{Zp}$%!`\u201c-\u201f]*"$/u);
    assertEquals(/\\(?![0-9a-f]{2})/.test(selector), false, selector);
  }
});

Deno.test("formatSelector() adds the thumbprint only if another certificate has the same values", async () => {
  const renewed = parseCertificate(await selfSigned("-set_serial", "5", "-subj", "/CN=a b"));
  const twin = parseCertificate(await selfSigned("-set_serial", "5", "-subj", "/CN=a b"));
  const short =
    '"Key=x509Subject,Value=CN=a b Key=x509Issuer,Value=CN=a b Key=x509Serial,Value=05"';
  assertEquals(await formatSelector(renewed, [renewed, template]), short);
  const long = await formatSelector(renewed, [renewed, twin]);
  assertMatch(long, /^"Key=x509Subject,.* Key=x509Thumbprint,Value=[0-9a-f]{64}"$/);
  assertEquals(await selected([long], [twin, renewed]), [renewed]);
});

Deno.test("formatSelector() leaves out a name that is empty", async () => {
  const [, ...twins] = nearTwins(template, 200, 5);
  const nameless = twins.find(({ subject }) => subject.length === 2);
  assert(nameless);
  assertMatch(await formatSelector(nameless, twins), /^"Key=x509Issuer,/);
});
