import { assertEquals } from "@std/assert";

import { profileWarnings } from "../../src/credentials/profile/profile_warnings.ts";

const warnings = (text: string, profile = "p") =>
  profileWarnings({ text, profile, account: "111122223333", label: "FILE" });

const KEYS = "aws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n";

const QUIET: Record<string, string> = {
  "nothing": "",
  "keys only": `[p]\n${KEYS}`,
  "other settings": `[p]\n${KEYS}region = x\nsource_profile = y\naws_account_id = 111122223333\n`,
  "settings of another profile": `[o]\nrole_arn = x\nsso_account_id = y\n[p]\n${KEYS}`,
  "nested settings": `[p]\n${KEYS}s3 =\n  role_arn = x\n  aws_session_token_x = y\n`,
};

for (const [what, text] of Object.entries(QUIET)) {
  Deno.test(`profileWarnings() returns none for ${what}`, () => {
    assertEquals(warnings(text), []);
  });
}

const REFUSED = ": the AWS CLI and boto3 refuse such a file";
const FIRST = "which AWS SDKs may follow before the keys of [p]";

const WARNED: Record<string, [text: string, expected: string[]]> = {
  "a byte order mark": [`\ufeff[p]\n`, [
    "FILE begins with a byte order mark, which the AWS CLI and boto3 refuse; save it without",
  ]],
  "a line before the first section": ["k = v\n[p]\n", [
    `line 1 of FILE is before the first section${REFUSED}`,
  ]],
  "a line that is not a setting": ["[o]\nword\nanother\n[p]", [
    `line 2 of FILE is not a setting${REFUSED}`,
  ]],
  "a second section of a name": ["[o]\n[p]\n[o]\n", [
    `line 3 of FILE begins [o] a second time${REFUSED}`,
  ]],
  "a second setting of a key": ["[o]\nk=v\nK: w\n", [
    `line 3 of FILE sets k of [o] a second time${REFUSED}`,
  ]],
  "a role": ["[p]\nRole_Arn = x\n", [`line 2 of FILE sets role_arn, ${FIRST}`]],
  "a web identity": ["[p]\nweb_identity_token_file = x\n", [
    `line 2 of FILE sets web_identity_token_file, ${FIRST}`,
  ]],
  "single sign-on": ["[p]\nsso_account_id = x\nsso_session = y", [
    `line 2 of FILE sets sso_account_id, ${FIRST}`,
  ]],
  "a role of every profile": ["[DEFAULT]\nrole_arn = x\n[p]\n", [
    `line 2 of FILE sets role_arn, ${FIRST}`,
  ]],
  "a process": ["[p]\ncredential_process = x\n", [
    "line 2 of FILE sets credential_process, which is not used with the keys of [p], " +
    "even expired ones; use another profile",
  ]],
  "another account": ["[p]\naws_account_id = 444455556666\n", [
    "line 2 of FILE names the account 444455556666, and the role is in 111122223333",
  ]],
  "a key in capitals": ["[p]\nAWS_Session_Token = x\n", [
    "line 2 of FILE writes aws_session_token as only Python's SDK reads it; use lower case and =",
  ]],
  "a key before a colon": ["[p]\naws_session_token: x=\n", [
    "line 2 of FILE writes aws_session_token as only Python's SDK reads it; use lower case and =",
  ]],
  "a key of ours in another's value": ["[p]\nregion = x\n  aws_session_token = y\n", [
    "line 3 of FILE is indented, so most SDKs read it as part of the setting above",
  ]],
};

for (const [what, [text, expected]] of Object.entries(WARNED)) {
  Deno.test(`profileWarnings() warns of ${what}`, () => {
    assertEquals(warnings(text), expected);
  });
}

Deno.test("profileWarnings() suggests another name for one that begins with profile", () => {
  assertEquals(warnings("[profile x]\n", "profile x"), [
    "[profile x]: only Python's SDK reads a profile of this name in FILE; was --profile x meant?",
  ]);
});
