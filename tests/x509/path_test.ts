import { assertEquals } from "@std/assert";

import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { formatName } from "../../src/x509/name.ts";
import { buildChain } from "../../src/x509/path.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { issuePath, read, selfSigned } from "./test_certificates.ts";

/**
 * Makes a path of four certificates, another leaf, and strangers. Makes variants of the leaf's
 * issuer: cross-signed by the root, renewed, with another key, with another key and no identifiers.
 */
async function makePath() {
  using directory = new TemporaryDirectory();
  const { root, upper, lower, leaf } = await issuePath(directory);
  const asLower = { subject: "/CN=Lower", ca: true, keyPath: lower.keyPath };
  return {
    root: read(root),
    upper: read(upper),
    lower: read(lower),
    leaf: read(leaf),
    crossSigned: read(await issueCertificate(root, asLower)),
    renewed: read(await issueCertificate(upper, asLower)),
    otherKey: read(await issueCertificate(root, { subject: "/CN=Lower", ca: true })),
    namesake: parseCertificate(
      await selfSigned("-subj", "/CN=Lower", "-addext", "subjectKeyIdentifier=none"),
    ),
    notAuthority: read(
      await issueCertificate(root, { subject: "/CN=Lower", keyPath: lower.keyPath }),
    ),
    otherLeaf: read(await issueCertificate(lower, { subject: "/CN=Other leaf" })),
    stranger: read(await createAuthority(directory, { subject: "/CN=Stranger" })),
  };
}

const all = await makePath();
const { root, upper, lower, leaf, crossSigned, renewed } = all;

/** Number of issuers after which the search may end early. */
const ENOUGH = 5;

const names = (list: readonly Certificate[]) =>
  list.map(({ subject, serialNumber }) => `${formatName(subject)} ${serialNumber}`);

async function assertChain(
  found: readonly Certificate[],
  issuers: readonly Certificate[],
  leftOut: readonly Certificate[],
): Promise<void> {
  const chain = await buildChain(leaf, found, ENOUGH);
  assertEquals(names(chain.issuers), names(issuers));
  assertEquals(names(chain.leftOut), names(leftOut));
}

const PATHS: Record<string, { found: Certificate[]; issuers: Certificate[] }> = {
  "there is none": { found: [], issuers: [] },
  "it is in order": { found: [lower, upper, root], issuers: [lower, upper, root] },
  "it is in reverse": { found: [root, upper, lower], issuers: [lower, upper, root] },
  "it is shuffled": { found: [upper, root, lower], issuers: [lower, upper, root] },
  "the end entity is in it": { found: [upper, leaf, lower], issuers: [lower, upper] },
  "it is the end entity only": { found: [leaf], issuers: [] },
  "certificates are repeated": {
    found: [upper, lower, upper, leaf, lower, leaf],
    issuers: [lower, upper],
  },
  "the issuer was cross-signed": {
    found: [root, crossSigned, upper, lower],
    issuers: [crossSigned, lower, root, upper],
  },
  "the issuer was renewed": { found: [renewed, lower, upper], issuers: [renewed, lower, upper] },
};

for (const [when, { found, issuers }] of Object.entries(PATHS)) {
  Deno.test(`buildChain() returns the issuers, nearest first, when ${when}`, async () => {
    await assertChain(found, issuers, []);
  });
}

for (const name of ["otherKey", "namesake", "notAuthority", "otherLeaf", "stranger"] as const) {
  Deno.test(`buildChain() leaves out a certificate that is not on the path: ${name}`, async () => {
    await assertChain([all[name], upper, lower], [lower, upper], [all[name]]);
    await assertChain([all[name]], [], [all[name]]);
  });
}

Deno.test("buildChain() leaves out issuers above a gap", async () => {
  await assertChain([root, lower], [lower], [root]);
});

Deno.test("buildChain() ends when authorities have issued each other", async () => {
  using directory = new TemporaryDirectory();
  const one = await createAuthority(directory, { subject: "/CN=One" });
  const two = await createAuthority(directory, { subject: "/CN=Two" });
  const oneByTwo = read(
    await issueCertificate(two, { subject: "/CN=One", ca: true, keyPath: one.keyPath }),
  );
  const twoByOne = read(
    await issueCertificate(one, { subject: "/CN=Two", ca: true, keyPath: two.keyPath }),
  );
  const machine = read(await issueCertificate(one, { subject: "/CN=machine" }));
  const { issuers } = await buildChain(machine, [twoByOne, oneByTwo], ENOUGH);
  assertEquals(names(issuers), names([oneByTwo, twoByOne]));
});

Deno.test("buildChain() keeps an issuer whose signature cannot be verified here", async () => {
  const authority = parseCertificate(await selfSigned("-newkey", "ed25519", "-subj", "/CN=Lower"));
  const { issuers } = await buildChain(
    (({ authorityKeyIdentifier: _, ...rest }) => rest)(leaf),
    [authority],
    ENOUGH,
  );
  assertEquals(names(issuers), names([authority]));
});
