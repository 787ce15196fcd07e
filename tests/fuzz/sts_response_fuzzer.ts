import { HelperError } from "../../src/errors.ts";
import { parseRoleArn } from "../../src/rolesanywhere/arn.ts";
import { assumeRoles } from "../../src/sts/assume_role.ts";
import { XML_LIMITS } from "../../src/sts/xml.ts";
import { Mutator } from "../support/mutator.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import type { Fuzzer } from "./fuzzer.ts";

const SECRET = "wJalrXUtnFEMIk7MDENGbPxRfiCYEXAMPLEKEYaa";
const TOKEN = "FQoGZXIvYXdzEJrUcHNhbWFkZXVwdG9rZW5vZmFzZXNzaW9u";
const SESSION = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult><SourceIdentity>Alice</SourceIdentity>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/demo/T</Arn></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
      <SecretAccessKey>${SECRET}</SecretAccessKey><SessionToken>${TOKEN}==</SessionToken>
      <Expiration>2999-07-15T23:28:33.359Z</Expiration></Credentials>
  </AssumeRoleResult><ResponseMetadata><RequestId>c6104cbe</RequestId></ResponseMetadata>
</AssumeRoleResponse>`;
const DOCUMENTS = [
  SESSION,
  `<?xml version="1.0" encoding="UTF-8"?>\n${SESSION.replace(SECRET, `<![CDATA[${SECRET}]]>`)}`,
  SESSION.replaceAll(/<(\/?)(?=\w)/g, "<$1s:").replace("xmlns=", "xmlns:s="),
  "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User &amp; role" +
  "</Message></Error><RequestId>a</RequestId></ErrorResponse>",
];
const PARTS = ["<", ">", "/>", "</", "<a>", "<!--", "-->", "<![CDATA[", "]]>", "<?x", "?>", "&amp;"]
  .concat(["&#0;", "&#x10FFFF;", "&b;", "&#", "<!DOCTYPE a>", '="', "'", "\0", "\ud800", "\ufeff"])
  .concat(["<Credentials>", "</Credentials>", "<SessionToken>", "\n", "2999-01-01T00:00:00Z"])
  .concat(["<a>".repeat(300), "x".repeat(2_000), "<Expiration/>"]);
/** Added at the end; one in ten makes the document too long. */
const ENDS = [...Array(9).fill(""), `<!--${"x".repeat(XML_LIMITS.bytes)}-->`];
const TYPES = ["text/xml", "text/xml;charset=UTF-8", "application/xml", "", "text/html"];

/** Responses of STS. */
export const fuzzer: Fuzzer = {
  shortRounds: 3000,
  longRounds: 100_000,
  open(seed) {
    const mutator = new Mutator(seed, PARTS);
    const secrets = new SecretWindows();
    for (const text of [SECRET, TOKEN]) secrets.addText("a secret", text);
    return Promise.resolve({
      async round() {
        const text = mutator.mutateText(mutator.pick(DOCUMENTS)) + mutator.pick(ENDS);
        const status = mutator.pick([200, 200, 200, 403, 400, 503]);
        const { outcome, said } = await readResponse(text, status, mutator.pick(TYPES));
        if (secrets.findIn(said)) throw new Error(`a secret is shown: ${said}`);
        if (/[^\n\P{Cc}]/u.test(said)) throw new Error(`control: ${JSON.stringify(said)}`);
        return outcome;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

async function readResponse(
  text: string,
  status: number,
  type: string,
): Promise<{ outcome: string; said: string }> {
  const said: string[] = [];
  const body = new TextEncoder().encode(text);
  try {
    const session = await assumeRoles(
      {
        roles: [parseRoleArn("arn:aws:iam::123456789012:role/R", "--assume-role-arn")],
        durationSeconds: 3600,
        endpoint: new URL("https://sts.invalid"),
        region: "us-east-1",
      },
      { accessKeyId: "A", secretAccessKey: "B", sessionToken: "C", expiration: new Date(1e13) },
      { defaultSessionName: "name", deadline: 0 },
      {
        send: () => Promise.resolve({ status, headers: new Map([["content-type", type]]), body }),
        now: () => new Date(0),
        monotonic: () => 0,
        sleep: () => Promise.resolve(),
        random: () => 0,
        debug: (message) => said.push(message),
      },
    );
    for (const value of [session.accessKeyId, session.secretAccessKey, session.sessionToken]) {
      if (!/^[\x21-\x7e]+$/.test(value)) throw new Error(`accepted ${JSON.stringify(value)}`);
    }
    if (status !== 200 || body.length > XML_LIMITS.bytes || type === "text/html") {
      throw new Error(`accepted a response of status ${status} and type ${type}`);
    }
    return { outcome: "session", said: said.join("\n") };
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    return { outcome: thrown.code, said: [...said, thrown.message].join("\n") };
  }
}
