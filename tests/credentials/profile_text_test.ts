import { assertEquals, assertLess, assertThrows } from "@std/assert";

import { setCredentials } from "../../src/credentials/profile/profile_text.ts";
import { HelperError } from "../../src/errors.ts";
import { cpuTime } from "../support/cpu_time.ts";

const CREDENTIALS = {
  accessKeyId: "ID",
  secretAccessKey: "SECRET",
  sessionToken: "TOKEN",
  expiration: new Date(0),
};

const write = (text: string, profile = "p") => setCredentials(text, profile, CREDENTIALS, "FILE");

const ADDED = "aws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n";

const TEXTS: Record<string, [before: string, after: string]> = {
  "an empty file": ["", `[p]\n${ADDED}`],
  "a byte order mark only": ["\ufeff", `\ufeff[p]\n${ADDED}`],
  "another profile, after a blank line": ["[o]\nk=v\n", `[o]\nk=v\n\n[p]\n${ADDED}`],
  "another profile and a blank line": ["[o]\nk=v\n\n", `[o]\nk=v\n\n[p]\n${ADDED}`],
  "another profile without a last line end": [
    "[o]\nk=v",
    `[o]\nk=v\n\n[p]\n${ADDED.trimEnd()}`,
  ],
  "Windows line ends": [
    "[o]\r\nk=v\r\n",
    `[o]\r\nk=v\r\n\r\n[p]\r\n${ADDED.replaceAll("\n", "\r\n")}`,
  ],
  "the profile as the only line": ["[p]", `[p]\n${ADDED.trimEnd()}`],
  "the profile first": ["[p]\nk=v\n[o]\n", `[p]\n${ADDED}k=v\n[o]\n`],
  "the profile in the middle": ["[o]\n[p]\n\n# c\n[q]\n", `[o]\n[p]\n${ADDED}\n# c\n[q]\n`],
  "the profile last, with a comment after its name": [
    "[o]\n[p] # mine\nk=v",
    `[o]\n[p] # mine\n${ADDED}k=v`,
  ],
  "settings that are indented": [
    "[p]\n\n# c\n\tk=v\n",
    `[p]\n${ADDED.replaceAll("aws", "\taws")}\n# c\n\tk=v\n`,
  ],
  "an indented header below": [
    "[p]\n  [o]\n  k=v\n",
    `[p]\n${ADDED.replaceAll("aws", "  aws")}  [o]\n  k=v\n`,
  ],
  "nested settings": ["[p]\ns3 =\n  k = v\n", `[p]\n${ADDED}s3 =\n  k = v\n`],
  "a nested setting of our name": [
    "[p]\ns3 =\n  aws_session_token = v\n",
    `[p]\n${ADDED}s3 =\n  aws_session_token = v\n`,
  ],
  "a key in capitals": [
    "[p]\nAWS_ACCESS_KEY_ID=old\n",
    "[p]\nAWS_ACCESS_KEY_ID=ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n",
  ],
  "all keys, out of order": [
    "[p]\naws_session_token : a \r\nk=v\naws_access_key_id\t=\tb\naws_secret_access_key=c",
    "[p]\naws_session_token : TOKEN \r\nk=v\naws_access_key_id\t=\tID\naws_secret_access_key=SECRET",
  ],
  "one key": [
    "[p]\r\nk=v\r\n  \r\nl=v\r\naws_secret_access_key = c\r\nm=v",
    "[p]\r\nk=v\r\n  \r\nl=v\r\naws_secret_access_key = SECRET\r\naws_access_key_id = ID\r\n" +
    "aws_session_token = TOKEN\r\nm=v",
  ],
  "an empty value": [
    "[p]\naws_access_key_id =\naws_secret_access_key = \naws_session_token=",
    "[p]\naws_access_key_id =ID\naws_secret_access_key = SECRET\naws_session_token=TOKEN",
  ],
  "a token under its older name": [
    `[p]\n${ADDED}aws_security_token = old\n`,
    `[p]\n${ADDED}aws_security_token = TOKEN\n`,
  ],
  "an older token that every profile has": [
    "[DEFAULT]\naws_security_token = old\n[p]\n",
    `[DEFAULT]\naws_security_token = old\n[p]\n${ADDED}aws_security_token = TOKEN\n`,
  ],
  "a value of several lines": [
    `[p]\naws_session_token =\n  one\n\n  # c\n  two==\n`,
    `[p]\naws_session_token =TOKEN\naws_access_key_id = ID\naws_secret_access_key = SECRET\n\n  # c\n`,
  ],
  "a value of several lines at the end": [
    `[p]\n${ADDED.trimEnd()}\n  more`,
    `[p]\n${ADDED.trimEnd()}`,
  ],
  "a comment after a value": [
    "[p]\n  aws_access_key_id = old ; of May\n",
    "[p]\n; of May\n  aws_access_key_id = ID\n  aws_secret_access_key = SECRET\n" +
    "  aws_session_token = TOKEN\n",
  ],
  "two sections of the name": [
    `[p]\naws_access_key_id = a\n[o]\n[p]\naws_access_key_id = b\n`,
    `[p]\naws_access_key_id = ID\n[o]\n[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\n` +
    "aws_session_token = TOKEN\n",
  ],
  "a key that is there twice": [
    "[p]\naws_access_key_id = a\naws_access_key_id = b\n",
    "[p]\naws_access_key_id = ID\naws_access_key_id = ID\naws_secret_access_key = SECRET\n" +
    "aws_session_token = TOKEN\n",
  ],
  "sections whose names are like it": [
    "[P]\n[ p ]\n[profile p]\n[p]x]\n",
    `[P]\n[ p ]\n[profile p]\n[p]x]\n\n[p]\n${ADDED}`,
  ],
};

for (const [what, [before, after]] of Object.entries(TEXTS)) {
  Deno.test(`setCredentials() writes into ${what}`, () => {
    assertEquals(write(before), after);
    assertEquals(write(after), after);
  });
}

for (const name of ["my profile", "profile x", "a.b-c_d/e@f%g:h+i", "münchen"]) {
  Deno.test(`setCredentials() finds the section [${name}] again`, () => {
    assertEquals(write(write("", name), name), `[${name}]\n${ADDED}`);
  });
}

for (const line of ["  region = eu-west-1", "  [other]", "\tk:v"]) {
  Deno.test(`setCredentials() throws rather than lose "${line.trim()}" below a value`, () => {
    const error = assertThrows(() => write(`[p]\naws_session_token = a\n${line}\n`), HelperError);
    assertEquals([error.code, error.exitCode], ["credentials-file", 1]);
    assertEquals(
      error.message,
      "FILE was not changed: line 3 is indented, so it belongs to the value of aws_session_token, " +
        "which would be replaced; remove the indentation",
    );
  });
}

for (const token of ["a\ncredential_process = evil", "a b", "", "#a", "\u00fc", "a\r", "a\0"]) {
  Deno.test(`setCredentials() throws service-answer for the token ${JSON.stringify(token)}`, () => {
    const error = assertThrows(
      () => setCredentials("", "p", { ...CREDENTIALS, sessionToken: token }, "FILE"),
      HelperError,
    );
    assertEquals(error.code, "service-answer");
    assertEquals(token !== "" && error.message.includes(token), false);
  });
}

Deno.test("setCredentials() takes little time for 10 MB of profiles and for lines of 100 KiB", () => {
  const profile = (i: number) =>
    `[profile-${i}]\naws_access_key_id = AKIA${i}\nk = ${"v".repeat(60)}\n`;
  const many = Array.from({ length: 100_000 }, (_, i) => profile(i)).join("");
  const long = `# ${" ".repeat(100_000)}x\n[long]\n${" ".repeat(100_000)}\nk = ${
    "= ".repeat(50_000)
  }\n`;
  const text = long + many;
  const started = cpuTime();
  const after = write(text, "profile-50000");
  assertLess(cpuTime() - started, 5_000);
  const [removed, ...rest] = after.split(
    "aws_secret_access_key = SECRET\naws_session_token = TOKEN\n",
  );
  assertEquals(rest.length, 1);
  assertEquals(
    [removed, ...rest].join("").replace(
      "[profile-50000]\naws_access_key_id = ID",
      "[profile-50000]\naws_access_key_id = AKIA50000",
    ) === text,
    true,
  );
});
