// deno-lint-ignore-file no-console -- it prints a report
/**
 * Clients that call AWS again and again while the credentials of `serve` are replaced. No request
 * may be signed with credentials past their end. Sessions last 900 s, the service's minimum, in
 * real time.
 *
 * Usage: deno run -A tests/soak/freshness.ts [MINUTES [SECONDS-BETWEEN]], by default 20 and 20
 *
 * @module
 */
import { QUOTED_BINARY, runProgram } from "../support/binary.ts";
import { whyMissing } from "../support/needs.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { AWS_CLIENTS, type AwsClient } from "../clients/aws_clients.ts";
import { S3Service } from "../clients/s3_service.ts";
import { StsService } from "../clients/sts_service.ts";

/** Clients whose programs repeat their calls. */
const CLIENTS = [
  "boto3",
  "pyarrow",
  "awscrt",
  "AWS SDK for JavaScript",
  "AWS SDK for Go v2",
  "AWS SDK for Java",
];
const WAYS = ["metadata", "container token file", "credential_process"] as const;
/** The service's minimum. */
const SESSION_SECONDS = 900;
const REGION = "eu-central-1";
/** A client may take this long for its calls themselves, seconds in total. */
const WORK_TIMEOUT = 300;

/** Calls of a client by one way. */
export interface Freshness {
  readonly client: string;
  readonly way: typeof WAYS[number];
  readonly code: number;
  readonly stderr: string;
  readonly verified: number;
  /** Codes of refused calls. */
  readonly refused: readonly string[];
  /** Different sessions that its requests were signed with. */
  readonly sessions: number;
  /** Minimum remaining lifetime of a request's credentials, seconds. */
  readonly minRemaining: number;
}

/** Runs each client of {@link CLIENTS} by each way at once. */
export async function measureFreshness(
  calls: number,
  secondsBetween: number,
): Promise<Freshness[]> {
  await using scenario = await SessionScenario.create({}, { region: REGION });
  const flags = [
    ...ARN_FLAGS.map((flag) => flag.replace("us-east-1", REGION)),
    `--session-duration=${SESSION_SECONDS}`,
  ];
  await using serve = await ServeProcess.start(scenario, [
    ...flags,
    "--container-credentials",
    `--container-token-file=${scenario.directory.join("token")}`,
  ]);
  await serve.binary.waitForLine(/^export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE/);
  const exported = Object.entries(await serve.exported());
  const select = (names: RegExp) =>
    Object.fromEntries(exported.filter(([name]) => names.test(name)));
  const config = scenario.directory.write(
    "config",
    `[default]\ncredential_process = ${QUOTED_BINARY} credential-process ` +
      `${[...scenario.flags, ...flags].join(" ")}\n`,
  );
  const only = { AWS_EC2_METADATA_DISABLED: "true" };
  const environments = {
    "metadata": select(/^AWS_EC2_/),
    "container token file": { ...select(/^AWS_CONTAINER_.*(URI|FILE)$/), ...only },
    "credential_process": { AWS_CONFIG_FILE: config, ...only },
  };

  const measure = async (client: AwsClient, way: typeof WAYS[number]): Promise<Freshness> => {
    const known = () => scenario.emulator.issued;
    await using service = client.service === "s3" ? new S3Service(known) : new StsService(known);
    const { line, env } = client.command({
      url: service.url,
      host: service.url.replace(/^.*\//, ""),
      way,
      folder: scenario.directory.path,
      metadata: environments.metadata["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
    });
    const limit = Math.ceil(calls * secondsBetween + WORK_TIMEOUT);
    const { code, stderr } = await runProgram("timeout", [`${limit}`, ...line], {
      timeout: 1000 * (limit + 10),
      env: {
        HOME: scenario.directory.path,
        AWS_REGION: REGION,
        AWS_DEFAULT_REGION: REGION,
        AWS_ENDPOINT_URL_STS: service.url,
        AWS_SHARED_CREDENTIALS_FILE: scenario.directory.join("none"),
        NO_PROXY: "127.0.0.1",
        NODE_NO_WARNINGS: "1",
        CALLS: `${calls}`,
        SECONDS_BETWEEN: `${secondsBetween}`,
        ...environments[way],
        ...env,
      },
    });
    const ends = new Map(
      known().map(({ accessKeyId, expiration }) => [accessKeyId, Date.parse(expiration)]),
    );
    const verified = service.calls.flatMap((call, index) =>
      "refused" in call ? [] : [{ ...call, time: service.callTimes[index]?.getTime() ?? NaN }]
    );
    return {
      client: client.name,
      way,
      code,
      stderr: stderr.slice(-1000),
      verified: verified.length,
      refused: service.calls.flatMap((call) => "refused" in call ? [call.refused] : []),
      sessions: new Set(verified.map(({ accessKeyId }) => accessKeyId)).size,
      minRemaining: Math.round(Math.min(
        ...verified.map(({ accessKeyId, time }) => ((ends.get(accessKeyId) ?? NaN) - time) / 1000),
      )),
    };
  };
  const clients = AWS_CLIENTS.filter(({ name, need }) =>
    CLIENTS.includes(name) && whyMissing(need) === undefined
  );
  return await Promise.all(
    clients.flatMap((client) => WAYS.map((way) => measure(client, way))),
  );
}

/** Finds faults of the calls: an exit code, a refusal, credentials past their end. */
export function findFaults(runs: readonly Freshness[], calls: number): string[] {
  return runs.flatMap((run) => {
    const { client, way, code, stderr, verified, refused, minRemaining } = run;
    const isFine = code === 0 && refused.length === 0 && verified >= calls && minRemaining > 0;
    return isFine ? [] : [
      `${client} by ${way}: ${JSON.stringify({ code, verified, refused, minRemaining, stderr })}`,
    ];
  });
}

if (import.meta.main) {
  const [minutes = 20, secondsBetween = 20] = Deno.args.map(Number);
  const calls = Math.ceil(minutes * 60 / secondsBetween) + 1;
  console.log(`${calls} calls each, ${secondsBetween} s apart, sessions of ${SESSION_SECONDS} s`);
  const runs = await measureFreshness(calls, secondsBetween);
  for (const { client, way, verified, refused, sessions, minRemaining } of runs) {
    console.log(
      `${client}, ${way}: ${verified} verified, ${refused.length} refused, ${sessions} sessions, ` +
        `at least ${minRemaining} s left`,
    );
  }
  const faults = findFaults(runs, calls);
  for (const fault of faults) console.log(`fault: ${fault}`);
  Deno.exit(faults.length === 0 ? 0 : 1);
}
