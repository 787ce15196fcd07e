// deno-lint-ignore-file no-console -- a demonstration talks to the terminal it runs in
/**
 * `make demo`: a fresh trust anchor and certificate, the CreateSession emulator on loopback, and the
 * real binary printing credentials from it. Explanations go to standard error, so that standard
 * output holds the credentials' JSON alone.
 *
 * Usage: deno run -A tests/demo.ts BINARY
 *
 * @module
 */
import { resolve } from "node:path";
import { SessionScenario } from "./support/session_scenario.ts";

const binary = resolve(Deno.args[0] ?? "build/bin/aws_signing_helper");
const quoted = (words: readonly string[]) =>
  words.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `"${word}"`).join(" ");

await using scenario = await SessionScenario.create();
console.error(`trust anchor    ${scenario.trustAnchor.certificatePath}`);
console.error(`certificate     ${scenario.identity.certificatePath}`);
console.error(`private key     ${scenario.identity.keyPath}`);
console.error(`CreateSession   ${scenario.emulator.url} (an emulator that checks every signature)`);
const command = ["credential-process", ...scenario.flags];
console.error(`\n$ ${quoted([binary, ...command])}\n`);
const { code, stdout } = await new Deno.Command(binary, {
  args: command,
  stdin: "null",
  stdout: "piped",
  stderr: "inherit",
}).output();
Deno.stdout.writeSync(stdout);
console.error(`
For your account, put this into ~/.aws/config, with your own files and ARNs:

[profile roles-anywhere]
credential_process = ${
  quoted([
    binary,
    "credential-process",
    "--certificate",
    "/etc/roles-anywhere/certificate.pem",
    "--private-key",
    "/etc/roles-anywhere/key.pem",
    "--role-arn",
    "ROLE-ARN",
    "--profile-arn",
    "PROFILE-ARN",
    "--trust-anchor-arn",
    "TRUST-ANCHOR-ARN",
  ])
}`);
Deno.exitCode = code;
