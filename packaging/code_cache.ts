/**
 * Code cache of the program, made at build time and stored in the binary next to the scripts. V8 then
 * neither parses nor compiles the code of a typical run. Deno's own code cache is a file in a temporary
 * directory, which another user could replace.
 *
 * Measured by tests/bench/stages.ts: without it `version` takes 4 % longer, `sign-string` 13 % with a PEM file
 * and 17 % with SoftHSM.
 *
 * V8 stores the kinds of the operands of comparisons in the code. So the recorded runs must be the
 * same in each build. `recording/` has their keys and certificate. The recorder fixes time, random
 * numbers, signatures and the order of the file system's answers. With new keys, whether an ECDSA
 * signature began with a zero changed a byte.
 *
 * @module
 */
import { decodeBase64 } from "@std/encoding/base64";

/**
 * Returns true if this version of Deno starts faster with the code cache. Only `node:vm` reads it,
 * which Deno 2.9 takes 20 ms to load. It then compiles the code of a typical run in 3 ms.
 */
export function isCodeCacheFaster(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < 2 || (major === 2 && minor < 9);
}

/** Keys, which are not secret, and certificate of the recorded runs. */
const RECORDING = new URL("recording/", import.meta.url);

/** Time of the recorded runs, at which the certificate is valid. */
const TIME = Date.UTC(2030, 5, 15, 12, 34, 56, 789);

const ARN = "arn:aws:rolesanywhere:us-east-1:123456789012";

/** Files of the recorder. */
export interface Recording {
  /** The compiled recorder. */
  readonly recorder: string;
  /** Output folder: a file for each script that was used. */
  readonly folder: string;
}

/**
 * Records typical runs of the program: signing, sessions printed, cached and written, a token. Returns
 * the size of the code in bytes.
 */
export async function recordCodeCache({ recorder, folder }: Recording): Promise<number> {
  // Not TMPDIR: a function that runs once for each folder of a path gets other code in a deep one.
  const directory = await Deno.makeTempDir(Deno.build.os === "windows" ? {} : { dir: "/tmp" });
  await using service = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json(makeSession(), { status: 201 }),
  );
  try {
    const identity = await writeIdentity(directory);
    const session = [
      "credential-process",
      ...identity,
      "--endpoint",
      `http://127.0.0.1:${service.addr.port}`,
      "--role-arn",
      "arn:aws:iam::123456789012:role/Build",
      "--profile-arn",
      `${ARN}:profile/build`,
      "--trust-anchor-arn",
      `${ARN}:trust-anchor/build`,
    ];
    const commandLines = `${directory}/command_lines.json`;
    const rsaKey = await copyKey(directory, "rsa_key.pem");
    const configuration = `${directory}/config`;
    await Deno.writeTextFile(configuration, CONFIGURATION);
    await Deno.writeTextFile(
      commandLines,
      JSON.stringify([
        ["version"],
        session,
        // A session that is not cached yet, and one that is.
        [...session, "--cache", "--cache-dir", `${directory}/cache`],
        [...session, "--cache", "--cache-dir", `${directory}/cache`],
        ["update", "--once", ...session.slice(1)],
        ["sign-string", ...identity],
        ["sign-string", "--private-key", rsaKey],
        ["read-certificate-data", ...identity.slice(0, 2)],
        // A double replaces the library; see token_double.js.
        ["sign-string", "--private-key", "pkcs11:object=k?pin-value=0", "--pkcs11-lib", "double"],
      ]),
    );
    const { success, stderr } = await new Deno.Command(recorder, {
      args: [folder, commandLines, `${directory}/certificate.der`, String(TIME)],
      clearEnv: true,
      env: {
        AWS_SHARED_CREDENTIALS_FILE: `${directory}/credentials`,
        AWS_CONFIG_FILE: configuration,
      },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    const files = Array.from(Deno.readDirSync(folder)).filter(({ name }) =>
      name.endsWith(".cache")
    );
    if (files.length === 0) throw new Error(`${recorder} recorded nothing`);
    return files.reduce((sum, { name }) => sum + Deno.statSync(`${folder}/${name}`).size, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Typical `~/.aws/config` that does not change the sessions above. */
const CONFIGURATION = "[default]\nregion = us-east-1\noutput = json\n\n# comment\n" +
  '[profile "a b"]\nrole_arn = x\n[services local]\ns3 =\n  endpoint_url = https://localhost\n';

function makeSession() {
  return {
    credentialSet: [{
      credentials: {
        accessKeyId: "ASIAEXAMPLE",
        secretAccessKey: "example",
        sessionToken: "example",
        expiration: new Date(TIME + 3_600_000).toISOString(),
      },
    }],
  };
}

/** Copies the EC key and the certificate; returns the flags for them. */
async function writeIdentity(directory: string): Promise<string[]> {
  const pem = await Deno.readTextFile(new URL("certificate.pem", RECORDING));
  const certificatePath = `${directory}/certificate.pem`;
  await Deno.writeTextFile(certificatePath, pem);
  const der = decodeBase64(pem.replaceAll(/-----[^-]*-----|\s/g, ""));
  await Deno.writeFile(`${directory}/certificate.der`, der);
  const keyPath = await copyKey(directory, "key.pem");
  return ["--certificate", certificatePath, "--private-key", keyPath];
}

async function copyKey(directory: string, name: string): Promise<string> {
  const path = `${directory}/${name}`;
  await Deno.writeTextFile(path, await Deno.readTextFile(new URL(name, RECORDING)), {
    mode: 0o600,
  });
  return path;
}
