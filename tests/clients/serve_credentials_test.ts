/**
 * AWS SDKs find `serve` of the real binary, take its credentials, and sign with them. A service
 * that knows the vended sessions verifies the signature.
 */
import { assertEquals } from "@std/assert";

import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { IDENTITY_CLIENTS, type IdentityClient } from "./identity_clients.ts";
import { StsService } from "./sts_service.ts";

/** A region that is not a default of an SDK. */
const REGION = "eu-central-1";
const REGION_FLAGS = ARN_FLAGS.map((flag) => flag.replace("us-east-1", REGION));

type Environment = Readonly<Record<string, string>>;

/** A way for a client to come to the credentials. */
interface Way {
  readonly name: string;
  readonly flags?: (scenario: SessionScenario) => readonly string[];
  /** The client's, made from the lines that `serve` prints for a shell. */
  readonly environment: (exported: Environment) => Environment;
  /** The last of these lines. */
  readonly lastExport: string;
  /** Path of the credentials. */
  readonly path: string;
  /** True if this way has the region too. */
  readonly tellsRegion: boolean;
}

const METADATA = {
  lastExport: "AWS_EC2_METADATA_SERVICE_ENDPOINT",
  path: CREDENTIALS_PATH,
  tellsRegion: true,
} as const;

const WAYS: readonly Way[] = [
  {
    ...METADATA,
    name: "the metadata endpoint",
    environment: (exported) => exported,
  },
  {
    ...METADATA,
    name: "the metadata endpoint without a trailing slash",
    environment: ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url }) => ({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: url?.replace(/\/$/, "") ?? "",
    }),
  },
  {
    name: "the container endpoint, and the metadata endpoint",
    flags: () => ["--container-credentials"],
    environment: (exported) => exported,
    lastExport: "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    path: "/role/Demo",
    tellsRegion: true,
  },
  {
    name: "the container endpoint only, its token in a file",
    flags: ({ directory }) => [
      "--container-credentials",
      "--container-token-file",
      directory.join("token file"),
    ],
    environment: ({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: _not,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: _neither,
      ...exported
    }) => ({
      ...exported,
      AWS_EC2_METADATA_DISABLED: "true",
    }),
    lastExport: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    path: "/role/Demo",
    tellsRegion: false,
  },
];

for (const client of IDENTITY_CLIENTS) {
  for (const way of WAYS) {
    testWith(
      client.need === undefined ? [] : [client.need],
      `${client.name} signs with the credentials of ${way.name}`,
      () => signsWithServedCredentials(client, way),
    );
  }
}

async function signsWithServedCredentials(client: IdentityClient, way: Way): Promise<void> {
  await using scenario = await SessionScenario.create({}, { region: REGION });
  await using sts = new StsService(() => scenario.emulator.issued);
  await using serve = await ServeProcess.start(
    scenario,
    [...REGION_FLAGS, "--debug", ...way.flags?.(scenario) ?? []],
  );
  await serve.binary.waitForLine(new RegExp(`^export ${way.lastExport}=`));

  const [program, ...args] = client.command;
  const { code, stdout, stderr } = await runProgram(program, args, {
    env: {
      ...way.environment(await serve.exported()),
      ...regionSettings(client, way),
      ...nothingElse(scenario),
      AWS_ENDPOINT_URL_STS: sts.url,
    },
  });

  const { account, arn, userId } = sts.identity;
  const [issued] = scenario.emulator.issued;
  assertEquals(
    { code, stdout, stderr, calls: sts.calls },
    {
      code: 0,
      stdout: `${account}\t${arn}\t${userId}\n`,
      stderr: "",
      calls: [{ accessKeyId: issued?.accessKeyId ?? "", region: REGION }],
    },
  );
  serve.binary.kill("SIGTERM");
  assertEquals(await serve.binary.end(), { code: 0, stdout: "" });
  checkAnswered(answeredBy(serve), [way.path, ...way.tellsRegion ? [client.region.path] : []]);
}

/** Returns settings without a region for clients that sign for the one that they find. */
function regionSettings(client: IdentityClient, way: Way): Environment {
  if (!way.tellsRegion) return { AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION };
  if (client.region.use === "signing") return {};
  return { AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION, AWS_DEFAULTS_MODE: "auto" };
}

/** Returns variables that exclude other credentials, metadata of version 1, and proxies. */
function nothingElse({ directory }: SessionScenario): Environment {
  return {
    HOME: directory.path,
    AWS_CONFIG_FILE: directory.join("no config"),
    AWS_SHARED_CREDENTIALS_FILE: directory.join("no credentials"),
    AWS_EC2_METADATA_V1_DISABLED: "true",
    NO_PROXY: "127.0.0.1",
    NODE_NO_WARNINGS: "1", // the SDK warns of Node versions that it will not support
  };
}

/** Checks that each path was read, and nothing refused but a document that some SDKs try first. */
function checkAnswered(answered: readonly string[], paths: readonly string[]): void {
  const expected = paths.map((path) => `GET ${path} 200`);
  assertEquals(expected.filter((line) => !answered.includes(line)), [], answered.join("\n"));
  const fine = / 200$|^GET \/latest\/meta-data\/iam\/security-credentials-extended(\/Demo)? 404$/;
  assertEquals(answered.filter((line) => !fine.test(line)), []);
}

/** Returns the requests in its access log, each as `METHOD PATH STATUS`. */
function answeredBy({ binary }: ServeProcess): string[] {
  return binary.lines.flatMap((line) => {
    const [entry] = /\{"event":"request".*\}$/.exec(line) ?? [];
    if (entry === undefined) return [];
    const { method, path, status } = JSON.parse(entry);
    return [`${method} ${path} ${status}`];
  });
}
