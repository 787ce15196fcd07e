import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import { ARN_KINDS, parseSessionArns } from "../../src/rolesanywhere/arn.ts";

const ARNS = {
  role: "arn:aws:iam::123456789012:role/MyRole",
  profile: "arn:aws:rolesanywhere:us-east-1:123456789012:profile/0-1a",
  trustAnchor: "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/2-3b",
};

Deno.test("parseSessionArns() returns the parts of all three", () => {
  const arns = parseSessionArns({ ...ARNS, role: "arn:aws:iam::123456789012:role/a/b/My+Role" });
  assertEquals(arns.trustAnchor, {
    text: ARNS.trustAnchor,
    partition: "aws",
    service: "rolesanywhere",
    region: "us-east-1",
    account: "123456789012",
    resource: "trust-anchor/2-3b",
  });
  assertEquals([arns.role.region, arns.role.resource], ["", "role/a/b/My+Role"]);
  assertEquals(arns.profile.resource, "profile/0-1a");
});

for (const partition of ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"]) {
  Deno.test(`parseSessionArns() accepts the partition ${partition}`, () => {
    const [role, profile, trustAnchor] = Object.values(ARNS)
      .map((arn) => arn.replace("arn:aws:", `arn:${partition}:`));
    const texts = { role: role ?? "", profile: profile ?? "", trustAnchor: trustAnchor ?? "" };
    assertEquals(parseSessionArns(texts).role.partition, partition);
  });
}

const WRONG: [keyof typeof ARNS, string][] = [
  ["role", ""],
  ["role", "MyRole"],
  ["role", "arn:aws:iam:us-east-1:123456789012:role/MyRole"],
  ["role", "arn:aws:iam::12345678901:role/MyRole"],
  ["role", "arn:aws:iam::123456789012:user/me"],
  ["role", "arn:aws:iam::123456789012:role/"],
  ["role", "arn:aws:iam::123456789012:role/My Role"],
  ["role", " arn:aws:iam::123456789012:role/MyRole"],
  ["role", "arn:aws:iam::123456789012:role/MyRole\n"],
  ["role", ARNS.profile],
  ["profile", ARNS.trustAnchor],
  ["profile", "arn:aws:rolesanywhere::123456789012:profile/0"],
  ["profile", "arn:aws:rolesanywhere:us-east-1:123456789012:profile/0/1"],
  ["profile", "ARN:aws:rolesanywhere:us-east-1:123456789012:profile/0"],
  ["trustAnchor", ARNS.profile],
  ["trustAnchor", `${ARNS.trustAnchor}:1`],
];

for (const [kind, text] of WRONG) {
  Deno.test(`parseSessionArns() throws usage naming ${ARN_KINDS[kind].flag} when it is ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseSessionArns({ ...ARNS, [kind]: text }), HelperError);
    assertEquals(error.code, "usage");
    assertStringIncludes(error.message, `${ARN_KINDS[kind].flag} `);
    assertStringIncludes(error.message, ARN_KINDS[kind].example);
  });
}

Deno.test("parseSessionArns() names the owner of an ARN that belongs to another flag", () => {
  const { role, profile } = ARNS;
  const swapped: [Partial<typeof ARNS>, string][] = [
    [
      { role: profile, profile: role },
      "--role-arn is the ARN of a profile; write that of a role, of",
    ],
    [{ profile: role }, "--profile-arn is the ARN of a role; write that of a profile, of"],
    [{ trustAnchor: profile }, "--trust-anchor-arn is the ARN of a profile; write that of a trust"],
  ];
  const changes: [string, string, string][] = [
    [role, `${role} `, "begins or ends with a blank; remove it"],
    [role, `"${role}"`, "has quotation marks in it; remove them"],
    [role, `'${role}`, "has quotation marks in it; remove them"],
    [role, `\u201c${role}\u201d`, "has quotation marks in it; remove them"],
    ["MyRole", "My Role", "has a blank inside; remove it"],
    ["MyRole", "My\u00a0Role", "has a blank inside; remove it"],
    ["123456789012", "1234-5678-9012", "has an account that is not 12 digits; write it"],
    ["123456789012", "", "has an account that is not 12 digits; write it"],
    ["role/", "user/", "is the ARN of another kind (iam user); write that of a role"],
    [
      "iam::123456789012:role",
      "s3:::bucket",
      "is the ARN of another kind (s3); write that of a role",
    ],
    ["role/MyRole", "root", "is the ARN of another kind (iam root); write that of a role"],
    ["role/MyRole", "role/", "is not an ARN of the form"],
    ["iam:", "iam:us-east-1", "is not an ARN of the form"],
  ];
  for (const [from, to, message] of changes) {
    swapped.push([{ role: role.replace(from, to) }, `--role-arn ${message}`]);
  }
  for (const [change, message] of swapped) {
    assertThrows(() => parseSessionArns({ ...ARNS, ...change }), HelperError, message);
  }
});

Deno.test("parseSessionArns() throws usage naming both flags when regions or partitions differ", () => {
  const differing: [Partial<typeof ARNS>, string][] = [
    [{ profile: ARNS.profile.replace("us-east-1", "us-east-2") }, "--profile-arn"],
    [{ role: ARNS.role.replace("arn:aws:", "arn:aws-cn:") }, "--role-arn"],
    [{ profile: ARNS.profile.replace("arn:aws:", "arn:aws-cn:") }, "--profile-arn"],
  ];
  for (const [change, flag] of differing) {
    const error = assertThrows(() => parseSessionArns({ ...ARNS, ...change }), HelperError, flag);
    assertEquals(error.code, "usage");
    assertStringIncludes(error.message, "--trust-anchor-arn");
  }
});

Deno.test("ARN_KINDS has examples that are themselves accepted", () => {
  const { role, profile, trustAnchor } = ARN_KINDS;
  parseSessionArns({
    role: role.example,
    profile: profile.example,
    trustAnchor: trustAnchor.example,
  });
});
