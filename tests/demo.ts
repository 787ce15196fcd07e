// deno-lint-ignore-file no-console -- a demonstration talks to the terminal it runs in
/**
 * `make demo`: a fresh trust anchor and certificate, the CreateSession emulator on loopback, and the
 * real binary printing credentials from it. Explanations go to standard error, so that standard
 * output holds only the credentials' JSON. The files stay in a folder, so that the printed command can
 * be run again while `make demo-emulator` runs.
 *
 * Usage: deno run -A tests/demo.ts BINARY FOLDER [--emulator]
 *
 * @module
 */
import { resolve } from "node:path";

import { quoteCommandLine } from "../src/cli/shell_quote.ts";
import { AssumeRoleService } from "./emulator/assume_role_service.ts";
import { CreateSessionEmulator } from "./emulator/emulator.ts";
import { createAuthority, issueCertificate } from "./support/certificates.ts";
import { openssl } from "./support/openssl.ts";
import { ARN_FLAGS } from "./support/session_scenario.ts";
import { Folder } from "./support/temporary_directory.ts";

/** Files of a demonstration, relative to its folder. */
const FILES = {
  trustAnchor: "trust-anchor.pem",
  certificate: "certificate.pem",
  privateKey: "private-key.pem",
  tlsAuthority: "tls-authority.pem",
  serverCertificate: "server.pem",
  serverKey: "server-key.pem",
  port: "port",
} as const;

/** Makes keys and certificates, and writes them to the folder. */
async function makeFiles(folder: Folder): Promise<void> {
  const work = new Folder(folder.join("work"));
  Deno.mkdirSync(work.path);
  const trustAnchor = await createAuthority(work, { subject: "/CN=Demo trust anchor" });
  const identity = await issueCertificate(trustAnchor, { subject: "/CN=demo-machine" });
  const tlsAuthority = await createAuthority(work, { subject: "/CN=Demo TLS authority" });
  const server = await issueCertificate(tlsAuthority, {
    subject: "/CN=localhost",
    hosts: ["localhost", "127.0.0.1"],
  });
  folder.write(FILES.trustAnchor, trustAnchor.certificatePem);
  folder.write(FILES.certificate, identity.certificatePem);
  folder.write(FILES.privateKey, identity.keyPem);
  folder.write(FILES.tlsAuthority, tlsAuthority.certificatePem);
  folder.write(FILES.serverCertificate, server.certificatePem);
  folder.write(FILES.serverKey, server.keyPem);
  Deno.removeSync(work.path, { recursive: true });
}

/** Starts the emulator with the files of the folder. */
async function startEmulator(folder: Folder, port: number): Promise<CreateSessionEmulator> {
  const read = (name: string) => Deno.readTextFileSync(folder.join(name));
  return await CreateSessionEmulator.start({
    trustAnchors: [read(FILES.trustAnchor)],
    tls: { certificate: read(FILES.serverCertificate), key: read(FILES.serverKey) },
    region: "us-east-1",
    port,
  });
}

/** Returns the flags of a `credential-process` that succeeds. */
function flagsOf(folder: Folder, port: number): string[] {
  return [
    ...["--certificate", folder.join(FILES.certificate)],
    ...["--private-key", folder.join(FILES.privateKey)],
    ...ARN_FLAGS,
    ...["--endpoint", endpointOf(port), "--ca-bundle", folder.join(FILES.tlsAuthority)],
  ];
}

/** Returns an address, because a minimal machine may have no /etc/hosts with the name localhost. */
function endpointOf(port: number): string {
  return `https://127.0.0.1:${port}`;
}

/** Serves until Ctrl-C, on the port of the last demonstration. */
async function serve(folder: Folder): Promise<void> {
  let port: number;
  try {
    port = Number(Deno.readTextFileSync(folder.join(FILES.port)));
  } catch {
    return fail("there is no demonstration to go on with; run make demo first");
  }
  let started: CreateSessionEmulator;
  try {
    started = await startEmulator(folder, port);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.AddrInUse)) throw thrown;
    return fail(`port ${port} is in use; end the emulator that runs`);
  }
  await using emulator = started;
  const read = (name: string) => Deno.readTextFileSync(folder.join(name));
  await using sts = new AssumeRoleService(() => emulator.issued, {
    tls: { certificate: read(FILES.serverCertificate), key: read(FILES.serverKey) },
  });
  const flags = quoteCommandLine(flagsOf(folder, port), "linux");
  const { promise, resolve: end } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => end());
  console.error(`CreateSession emulator at ${emulator.url}; Ctrl-C ends it
AssumeRole emulator at ${sts.url}, for --sts-endpoint
Flags for other commands:
${flags}
For certificates of another authority, add its certificate to this file, and start again. Name your
own files in place of the first two flags:
${folder.join(FILES.trustAnchor)}`);
  await promise;
}

async function demonstrate(binary: string, path: string): Promise<void> {
  try {
    await openssl(["version"]);
  } catch {
    return fail("openssl is missing; install it (Debian: apt-get install openssl)");
  }
  await Deno.remove(path, { recursive: true }).catch(() => {});
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  const folder = new Folder(path);
  await makeFiles(folder);
  await using emulator = await startEmulator(folder, 0);
  folder.write(FILES.port, String(emulator.port));
  console.error(`trust anchor    ${folder.join(FILES.trustAnchor)}`);
  console.error(`certificate     ${folder.join(FILES.certificate)}`);
  console.error(`private key     ${folder.join(FILES.privateKey)}`);
  console.error(
    `CreateSession   ${endpointOf(emulator.port)} (an emulator that checks every signature)`,
  );
  const command = ["credential-process", ...flagsOf(folder, emulator.port)];
  console.error(`\n$ ${quoteCommandLine([binary, ...command], "linux")}\n`);
  const { code, stdout } = await new Deno.Command(binary, {
    args: command,
    // The demonstration must not depend on AWS or proxy settings of this terminal.
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "", HOME: path },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).output();
  Deno.stdout.writeSync(stdout);
  const example = quoteCommandLine([
    binary,
    "credential-process",
    ...["--certificate", "/etc/roles-anywhere/certificate.pem"],
    ...["--private-key", "/etc/roles-anywhere/key.pem"],
    ...["--role-arn", "ROLE-ARN", "--profile-arn", "PROFILE-ARN"],
    ...["--trust-anchor-arn", "TRUST-ANCHOR-ARN"],
  ], "linux");
  console.error(`
To run this command again, first run make demo-emulator in another terminal.

For your account, put this into ~/.aws/config, with your own files and ARNs:

[profile roles-anywhere]
region = us-east-1
credential_process = ${example}`);
  Deno.exitCode = code;
}

function fail(reason: string): void {
  console.error(`demo: ${reason}`);
  Deno.exitCode = 1;
}

const [binary = "build/bin/aws_signing_helper", folder = "build/demo", mode] = Deno.args;
if (mode === "--emulator") await serve(new Folder(resolve(folder)));
else await demonstrate(resolve(binary), resolve(folder));
