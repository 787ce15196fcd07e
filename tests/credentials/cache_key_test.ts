import { assertEquals, assertMatch } from "@std/assert";

import { cacheKey, type CacheKeyInput } from "../../src/credentials/cache/cache_key.ts";
import { parseRoleArn, parseSessionArns } from "../../src/rolesanywhere/arn.ts";
import type { RoleChain } from "../../src/sts/role_chain.ts";

const ANCHOR = "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/t";
const PROFILE = "arn:aws:rolesanywhere:us-east-1:123456789012:profile/p";

interface Parts {
  role?: string;
  profile?: string;
  trustAnchor?: string;
  duration?: number;
  name?: string;
  region?: string;
  endpoint?: string;
  certificate?: string;
  verifyServer?: boolean;
  chain?: Partial<Omit<RoleChain, "roles">> & { readonly roles?: readonly [string, ...string[]] };
}

const LAST = "arn:aws:iam::210987654321:role/last";

function chainOf({ roles: [first, ...rest] = [LAST], ...parts }: Parts["chain"] = {}): RoleChain {
  const parse = (text: string) => parseRoleArn(text, "--assume-role-arn");
  return {
    roles: [parse(first), ...rest.map(parse)],
    durationSeconds: 3600,
    region: "us-east-1",
    endpoint: new URL("https://sts.example"),
    ...parts,
  };
}

const session = (parts: Parts = {}): CacheKeyInput => ({
  request: {
    arns: parseSessionArns({
      role: parts.role ?? "arn:aws:iam::123456789012:role/r",
      profile: parts.profile ?? PROFILE,
      trustAnchor: parts.trustAnchor ?? ANCHOR,
    }),
    durationSeconds: parts.duration ?? 3600,
    region: parts.region ?? "us-east-1",
    endpoint: new URL(parts.endpoint ?? "https://a.example"),
    ...(parts.name === undefined ? {} : { roleSessionName: parts.name }),
    ...(parts.chain === undefined ? {} : { chain: chainOf(parts.chain) }),
  },
  certificate: new TextEncoder().encode(parts.certificate ?? "certificate"),
  verifyServer: parts.verifyServer ?? true,
});

Deno.test("cacheKey() is 64 hexadecimal digits, the same for the same session", async () => {
  const key = await cacheKey(session());
  assertMatch(key, /^[0-9a-f]{64}$/);
  assertEquals(await cacheKey(session()), key);
});

const OTHERS: Record<string, Parts> = {
  certificate: { certificate: "another" },
  role: { role: "arn:aws:iam::123456789012:role/s" },
  profile: { profile: `${PROFILE}2` },
  "trust anchor": { trustAnchor: `${ANCHOR}2` },
  duration: { duration: 3601 },
  "session name": { name: "xy" },
  region: { region: "us-east-2" },
  endpoint: { endpoint: "https://b.example" },
  "endpoint's path": { endpoint: "https://a.example/path" },
  "check of the service": { verifyServer: false },
  chain: { chain: {} },
};

const OTHER_CHAINS: Record<string, Parts["chain"]> = {
  "no name": {},
  role: { roles: [`${LAST}2`] },
  "number of roles": { roles: [LAST, LAST] },
  order: { roles: [LAST, `${LAST}2`] },
  "other order": { roles: [`${LAST}2`, LAST] },
  name: { sessionName: "xy" },
  "external ID": { externalId: "xy" },
  duration: { durationSeconds: 900 },
  region: { region: "us-east-2" },
  endpoint: { endpoint: new URL("https://sts2.example") },
};

Deno.test("cacheKey() is another for each part of a chain", async () => {
  const parts = Object.values(OTHER_CHAINS);
  const keys = await Promise.all(parts.map((chain = {}) => cacheKey(session({ chain }))));
  assertEquals(new Set(keys).size, parts.length);
});

for (const [what, parts] of Object.entries(OTHERS)) {
  Deno.test(`cacheKey() is another for another ${what}`, async () => {
    assertEquals(await cacheKey(session(parts)) === await cacheKey(session()), false);
  });
}
