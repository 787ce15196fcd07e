import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { BINARY, runProgram } from "../support/binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { JAVASCRIPT_CLIENT, PYTHON } from "../support/tools.ts";

interface Client {
  readonly name: string;
  /** Installs the client; returns the command that prints the credentials as JSON. */
  command(): Promise<readonly [program: string, script: string]>;
}

const scriptOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const CLIENTS: readonly Client[] = [
  {
    name: "boto3",
    command: () => Promise.resolve([PYTHON, scriptOf("python/print_credentials.py")]),
  },
  {
    name: "the AWS SDK for JavaScript",
    async command() {
      // Node looks for packages next to the script.
      const script = `${JAVASCRIPT_CLIENT}print_credentials.mjs`;
      await Deno.copyFile(scriptOf("javascript/print_credentials.mjs"), script);
      return ["node", script];
    },
  },
];

for (const client of CLIENTS) {
  Deno.test(`${client.name} gets the emulator's credentials by credential_process, with spaces in every path`, async () => {
    await using scenario = await SessionScenario.create();
    const { directory, identity } = scenario;
    const binary = directory.join("Program Files", "aws_signing_helper");
    Deno.mkdirSync(directory.join("Program Files"));
    Deno.symlinkSync(BINARY, binary);
    const certificate = directory.write("my files/the certificate.pem", identity.certificatePem);
    const key = directory.write("my files/the key.pem", identity.keyPem);
    const config = directory.write(
      "config",
      `[profile anywhere]\nregion = us-east-1\ncredential_process = "${binary}" ` +
        `credential-process --certificate "${certificate}" --private-key "${key}" ` +
        `${scenario.serviceFlags.join(" ")}\n`,
    );
    const [program, script] = await client.command();
    const { code, stdout, stderr } = await runProgram(program, [script], {
      env: {
        AWS_CONFIG_FILE: config,
        AWS_SHARED_CREDENTIALS_FILE: directory.join("no credentials"),
        AWS_PROFILE: "anywhere",
        AWS_EC2_METADATA_DISABLED: "true",
        NODE_NO_WARNINGS: "1", // the SDK warns of Node versions that it will not support
      },
    });
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const [issued] = scenario.emulator.issued;
    const { accessKeyId, secretAccessKey, sessionToken } = JSON.parse(stdout);
    assertEquals(
      { accessKeyId, secretAccessKey, sessionToken },
      {
        accessKeyId: issued?.accessKeyId,
        secretAccessKey: issued?.secretAccessKey,
        sessionToken: issued?.sessionToken,
      },
    );
  });
}
