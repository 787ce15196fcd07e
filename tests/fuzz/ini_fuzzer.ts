import { readIniLines, settingsOf } from "../../src/credentials/profile/ini_lines.ts";
import { setCredentials } from "../../src/credentials/profile/profile_text.ts";
import { profileWarnings } from "../../src/credentials/profile/profile_warnings.ts";
import { HelperError } from "../../src/errors.ts";
import { Mutator } from "../support/mutator.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import type { Fuzzer } from "./fuzzer.ts";

const SECRET = "wJalrXUtnFEMIk7MDENGbPxRfiCYEXAMPLEKEYaa";
const TOKEN = "FQoGZXIvYXdzEJrUcHNhbWFkZXVwdG9rZW5vZmFzZXNzaW9u";
const SETTINGS = `aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = ${SECRET}
aws_session_token = ${TOKEN}==
`;
const FILES = [
  `[default]\n${SETTINGS}`,
  `# mine\n[other]\n${SETTINGS}region = eu-west-1\n\n[build]\n${SETTINGS}aws_account_id = 123456789012`,
  `[DEFAULT]\naws_security_token=${TOKEN}\n[build]\r\n${SETTINGS.replaceAll("\n", "\r\n")}`,
  `\ufeff[build]\naws_session_token =\n  ${TOKEN}\n  ${TOKEN}\nrole_arn = x ; comment ${SECRET}\n`,
];
const WORDS = [
  "[",
  "]",
  "[build]",
  "[DEFAULT]",
  "=",
  " = ",
  ":",
  "\n",
  "\r",
  "\r\n",
  "\n  ",
  "#",
  ";",
]
  .concat(["aws_account_id = ", "aws_access_key_id", "aws_secret_access_key = ", "\0", "\x1b[31m"])
  .concat(["\u2028", "\u00a0", "\ufeff", "role_arn = a", "profile "]);
const CREDENTIALS = {
  accessKeyId: "ASIAEXAMPLE",
  secretAccessKey: "new-secret",
  sessionToken: "new-token",
  expiration: new Date(0),
};

/** Credentials files, into which a session is written. */
export const fuzzer: Fuzzer = {
  shortRounds: 3000,
  longRounds: 100_000,
  open(seed) {
    const mutator = new Mutator(seed, WORDS);
    const secrets = new SecretWindows();
    for (const text of [SECRET, TOKEN]) {
      // Keys are in lower case when they are read.
      secrets.addText("a secret", text).addText("a secret", text.toLowerCase());
    }
    return Promise.resolve({
      round() {
        const text = mutator.mutateText(mutator.pick(FILES));
        const { outcome, said } = write(text);
        if (secrets.findIn(said)) throw new Error(`a secret is shown: ${said}`);
        if (/[^\n\P{Cc}]/u.test(said)) throw new Error(`control: ${JSON.stringify(said)}`);
        return outcome;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

function write(text: string): { outcome: string; said: string } {
  const place = { profile: "build", account: "210987654321", label: "credentials" };
  const notes = profileWarnings({ text, ...place });
  try {
    const written = setCredentials(text, "build", CREDENTIALS, "credentials");
    const keys = settingsOf(readIniLines(written), "build");
    if (!keys.has("aws_session_token")) throw new Error("the credentials were not written");
    if (setCredentials(written, "build", CREDENTIALS, "credentials") !== written) {
      throw new Error(
        `a second run changes the file again: ${
          JSON.stringify([
            text,
            written,
            setCredentials(written, "build", CREDENTIALS, "credentials"),
          ])
        }`,
      );
    }
    return { outcome: notes.length > 0 ? "written, warned" : "written", said: notes.join("\n") };
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    return { outcome: thrown.code, said: [...notes, thrown.message].join("\n") };
  }
}
