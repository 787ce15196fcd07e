/**
 * Clients of three users of one `serve --roles` get three roles. They use the metadata endpoint,
 * and the container endpoint with the token file of their role.
 */
import { assertEquals } from "@std/assert";

import { runProgram } from "../support/binary.ts";
import { type Need, testWith } from "../support/needs.ts";
import { roleArn, roleOf, RolesServe } from "../support/roles_scenario.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { type SystemUser, SystemUsers } from "../support/system_users.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { IDENTITY_CLIENTS } from "./identity_clients.ts";
import { StsService } from "./sts_service.ts";

const NEEDS: readonly Need[] = [
  ...["linux", "binary", "root", "other-user", "python-client", "javascript-client"] as const,
  ...["program:/usr/sbin/useradd", "program:node"] as const,
];

/** Returns a command that runs as a user who can read the checkout, whatever its permissions. */
function commandAs({ id }: SystemUser, command: readonly string[]): readonly string[] {
  return [
    ...["--reuid", String(id), "--regid", String(id), "--clear-groups"],
    ...["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--", ...command],
  ];
}

const CLIENTS = IDENTITY_CLIENTS.filter(({ name }) =>
  ["boto3", "the AWS SDK for JavaScript"].includes(name)
);
assertEquals(CLIENTS.length, 2);

for (const client of CLIENTS) {
  testWith(NEEDS, `${client.name} gets another role under each of three users`, async () => {
    await using scenario = await SessionScenario.create();
    await using users = await SystemUsers.create("carol");
    await using sts = new StsService(() => scenario.emulator.issued);
    using directory = new TemporaryDirectory();
    Deno.chmodSync(directory.path, 0o755);
    const [carol] = users.others;
    if (!carol) throw new Error("no third user");
    const all = [
      { user: users.alice, name: "one", listed: [users.alice.name] },
      { user: users.bob, name: "two", listed: [users.bob.id] },
      { user: carol, name: "rest", listed: undefined },
    ];
    const tokenFile = (name: string) => directory.join(`token-${name}`);
    await using serve = await RolesServe.start(
      scenario,
      directory.join("roles.json"),
      all.map(({ name, listed }) =>
        roleOf(name, { tokenFile: tokenFile(name), ...(listed ? { users: listed } : {}) })
      ),
    );
    const identify = async (user: SystemUser, env: Readonly<Record<string, string>>) => {
      const before = sts.calls.length;
      const { code, stderr } = await runProgram("setpriv", commandAs(user, client.command), {
        env: {
          HOME: "/nonexistent",
          PYTHONDONTWRITEBYTECODE: "1",
          AWS_CONFIG_FILE: directory.join("no config"),
          AWS_SHARED_CREDENTIALS_FILE: directory.join("no credentials"),
          AWS_REGION: "us-east-1",
          AWS_DEFAULT_REGION: "us-east-1",
          AWS_ENDPOINT_URL_STS: sts.url,
          NO_PROXY: "127.0.0.1",
          NODE_NO_WARNINGS: "1", // the SDK warns of Node versions that it will not support
          ...env,
        },
        cwd: "/",
      });
      assertEquals([code, stderr], [0, ""]);
      const keys = sts.calls.slice(before).map((call) =>
        "accessKeyId" in call ? call.accessKeyId : call.refused
      );
      return scenario.emulator.sessions
        .filter(({ credentials }) => keys.includes(credentials.accessKeyId))
        .map(({ roleArn }) => roleArn);
    };
    for (const { user, name } of all) {
      const metadata = { AWS_EC2_METADATA_SERVICE_ENDPOINT: `${serve.url}/` };
      assertEquals(await identify(user, metadata), [roleArn(name)], `${name} by metadata`);
      const container = {
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${serve.url}/role/${name}`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile(name),
      };
      assertEquals(await identify(user, container), [roleArn(name)], `${name} by its token`);
    }
  });
}
