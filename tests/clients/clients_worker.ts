/**
 * Runs the clients of AWS_CLIENTS by one way, and prints a JSON line with the result of each. It listens
 * on addresses that are free only in its own network namespace.
 *
 * Usage: deno run -A tests/clients/clients_worker.ts WAY [CLIENT]
 *
 * @module
 */
import { ConnectProxy } from "../support/connect_proxy.ts";
import { QUOTED_BINARY, runBinary, runProgram } from "../support/binary.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { whyMissing } from "../support/needs.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { AWS_CLIENTS, type AwsClient, expected, REGISTRY, type Way, WAYS } from "./aws_clients.ts";
import { EcrService } from "./ecr_service.ts";
import { S3Service } from "./s3_service.ts";
import type { KnownCredentials } from "./signature_version_4.ts";
import { StsService } from "./sts_service.ts";
import type { ServerTls, VerifyingService } from "./verifying_service.ts";

type Environment = Readonly<Record<string, string>>;

/** The result of a client's run. */
export interface ClientRun {
  readonly client: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** True if it printed data that only the service's response has. */
  readonly proven: boolean;
  /** Verified requests. */
  readonly verified: number;
  /** Requests that were refused, or signed with credentials that this way does not vend. */
  readonly refused: readonly string[];
  readonly milliseconds: number;
}

const REGION = "eu-central-1";
/** Number of runs at once. */
const PARALLEL = 3;
/** A client that takes longer hangs, seconds. */
const DEFAULT_TIMEOUT = 60;
/** A client that is not expected to find credentials is ended so early, seconds. */
const MAX_FAILURE = 8;

const REGION_FLAGS = ARN_FLAGS.map((flag) => flag.replace("us-east-1", REGION));

/** A way that is ready for clients. */
interface ReadyWay {
  /** The access key that it vends; undefined if each run has another. */
  readonly accessKeyId?: string | undefined;
  readonly metadata?: string | undefined;
  readonly environment: Environment;
  /** Fills a client's home directory. */
  prepare?(home: string): void;
}

class Clients implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  #ready: ReadyWay = { environment: {} };

  private constructor(
    private readonly way: Way,
    private readonly scenario: SessionScenario,
    private readonly ecr: { readonly bundle: string; readonly tls: ServerTls },
  ) {}

  static async create(way: Way): Promise<Clients> {
    const scenario = await SessionScenario.create({}, { region: REGION });
    const authority = await createAuthority(scenario.directory, { subject: "/CN=Demo ECR" });
    const server = await issueCertificate(authority, {
      subject: "/CN=ecr",
      hosts: [`api.ecr.${REGION}.amazonaws.com`],
    });
    const clients = new Clients(way, scenario, {
      bundle: authority.certificatePath,
      tls: { certificate: server.certificatePem, key: server.keyPem },
    });
    clients.#stack.use(scenario);
    clients.#ready = await clients.#make();
    return clients;
  }

  async run(client: AwsClient): Promise<ClientRun> {
    const { way } = this;
    const ready = this.#ready;
    const home = Deno.makeTempDirSync({ dir: this.scenario.directory.path, prefix: "home-" });
    ready.prepare?.(home);
    await using stack = new AsyncDisposableStack();
    const service = this.#serviceOf(client);
    stack.use(service);
    const command = client.command({
      url: service.url,
      host: service.url.replace(/^.*\//, ""),
      way,
      folder: home,
      metadata: ready.metadata,
    });
    let proxy: Environment = {};
    if (service instanceof EcrService) {
      const { port } = stack.use(new ConnectProxy(undefined, service.port));
      proxy = { HTTPS_PROXY: `http://127.0.0.1:${port}`, SSL_CERT_FILE: this.ecr.bundle };
    }
    const started = performance.now();
    const limit = expected(client, way) ? DEFAULT_TIMEOUT : MAX_FAILURE;
    const { code, stdout, stderr } = await runProgram(
      "timeout",
      ["--kill-after=2", `${limit}`, ...command.line],
      {
        env: {
          HOME: home,
          // polars leaves a folder there.
          TMPDIR: home,
          AWS_REGION: REGION,
          AWS_DEFAULT_REGION: REGION,
          AWS_EC2_METADATA_V1_DISABLED: "true",
          NO_PROXY: "127.0.0.1,localhost",
          NODE_NO_WARNINGS: "1",
          ...proxy,
          ...client.service === "sts" ? { AWS_ENDPOINT_URL_STS: service.url } : {},
          ...ready.environment,
          ...command.env,
        },
      },
    );
    const refused = service.calls.flatMap((call) => {
      if ("refused" in call) return [`${call.refused}: ${call.message}`];
      const isOurs = (ready.accessKeyId ?? call.accessKeyId) === call.accessKeyId;
      return isOurs ? [] : [`of another way: ${call.accessKeyId}`];
    });
    return {
      client: client.name,
      code,
      stdout: stdout.slice(-2000),
      stderr: stderr.slice(-4000),
      proven: client.prints?.test(stdout) ?? stdout.includes(proofOf(service)),
      verified: service.calls.length - refused.length,
      refused,
      milliseconds: Math.round(performance.now() - started),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #serviceOf({ service }: AwsClient): VerifyingService {
    const known = (): readonly KnownCredentials[] => this.scenario.emulator.issued;
    if (service === "sts") return new StsService(known);
    if (service === "s3") return new S3Service(known);
    return new EcrService(known, REGISTRY, this.ecr.tls);
  }

  async #make(): Promise<ReadyWay> {
    const only = { AWS_EC2_METADATA_DISABLED: "true" };
    switch (this.way) {
      case "credential_process": {
        const { flags } = this.scenario;
        const config = `[default]\ncredential_process = ${QUOTED_BINARY} credential-process ` +
          `${[...flags, ...REGION_FLAGS].join(" ")}\n`;
        return { environment: only, prepare: (home) => writeSettings(home, "config", config) };
      }
      case "update": {
        const home = this.scenario.directory.join("update");
        const flags = [...this.scenario.flags, ...REGION_FLAGS];
        const { code, stderr } = await runBinary(["update", "--once", ...flags], {
          env: { HOME: home },
        });
        if (code !== 0) throw new Error(stderr);
        const text = Deno.readTextFileSync(`${home}/.aws/credentials`);
        return {
          accessKeyId: this.scenario.emulator.issued.at(-1)?.accessKeyId,
          environment: only,
          prepare: (home) => writeSettings(home, "credentials", text),
        };
      }
      case "metadata":
        return await this.#serve([], /^AWS_EC2_/);
      case "metadata without slash": {
        const ready = await this.#serve([], /^AWS_EC2_/);
        const bare = ready.metadata?.replace(/\/$/, "") ?? "";
        return {
          ...ready,
          metadata: bare,
          environment: { AWS_EC2_METADATA_SERVICE_ENDPOINT: bare },
        };
      }
      case "metadata on port 80":
        return await this.#serve(["--port=80"], /^AWS_EC2_/);
      case "fixed address": {
        const flags = ["--bind=169.254.169.254", "--port=80", "--hop-limit=1"];
        const { accessKeyId } = await this.#serve(flags, /^AWS_EC2_/);
        return { accessKeyId, environment: {} };
      }
      case "container token":
        return {
          ...await this.#serve(["--container-credentials"], /^AWS_CONTAINER_/, only),
          metadata: undefined,
        };
      case "container token file": {
        const file = this.scenario.directory.join("container token");
        const flags = ["--container-credentials", `--container-token-file=${file}`];
        return {
          ...await this.#serve(flags, /^AWS_CONTAINER_.*(URI|FILE)$/, only),
          metadata: undefined,
        };
      }
    }
  }

  /** Starts `serve`; clients get those of its variables whose names match. */
  async #serve(
    flags: readonly string[],
    names: RegExp,
    environment: Environment = {},
  ): Promise<ReadyWay> {
    const serve = await ServeProcess.start(this.scenario, [...REGION_FLAGS, ...flags]);
    this.#stack.use(serve);
    if (flags.includes("--container-credentials")) {
      await serve.binary.waitForLine(/^export AWS_CONTAINER_AUTHORIZATION_TOKEN=/);
    }
    if (flags.some((flag) => flag.startsWith("--container-token-file"))) {
      await serve.binary.waitForLine(/^export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/);
    }
    const exported = await serve.exported();
    return {
      accessKeyId: this.scenario.emulator.issued.at(-1)?.accessKeyId,
      metadata: exported["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
      environment: {
        ...environment,
        ...Object.fromEntries(Object.entries(exported).filter(([name]) => names.test(name))),
      },
    };
  }
}

function writeSettings(home: string, name: string, text: string): void {
  Deno.mkdirSync(`${home}/.aws`);
  Deno.writeTextFileSync(`${home}/.aws/${name}`, text, { mode: 0o600 });
}

/** Returns what only a client can print that has read the service's response. */
function proofOf(service: VerifyingService): string {
  if (service instanceof StsService) return service.identity.account;
  if (service instanceof S3Service) return service.proof;
  if (service instanceof EcrService) return service.password;
  throw new TypeError(service.service);
}

if (import.meta.main) {
  const [name, only] = Deno.args;
  const way = WAYS.find((way) => way === name);
  if (way === undefined) throw new Error(`no such way: ${name}`);
  const clients = AWS_CLIENTS.filter((client) =>
    whyMissing(client.need) === undefined && (only ?? client.name) === client.name &&
    expected(client, way) !== undefined
  );
  await using all = await Clients.create(way);
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    for (let client = clients.shift(); client !== undefined; client = clients.shift()) {
      const line = JSON.stringify(await all.run(client));
      Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
    }
  }));
}
