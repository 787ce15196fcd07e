/**
 * The quick start and the three ways of README.md, as they are written. The real AWS CLI runs
 * against AWS's control plane on loopback, and the binary against the emulator of CreateSession.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";

import { ControlPlane } from "../clients/control_plane.ts";
import { StsService } from "../clients/sts_service.ts";
import { BINARY, type Result, runProgram } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { writeAwsCommand } from "../support/tools.ts";

const README = "README.md";
const CREDENTIALS = "src/credentials/README.md";
const SERVE = "src/imds/README.md";

/** Returns the variables of an administrator's AWS CLI. */
function administrator({ url }: ControlPlane): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret",
  };
}

/** The machine of the quick start's reader: an empty folder, `aws` and the binary on PATH. */
class Reader implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly #env: Record<string, string>;

  constructor() {
    Deno.mkdirSync(this.directory.join("bin"));
    Deno.mkdirSync(this.directory.join("home"));
    writeAwsCommand(this.directory.join("bin"));
    Deno.symlinkSync(BINARY, this.directory.join("bin/aws_signing_helper"));
    this.#env = {
      PATH: `${this.directory.join("bin")}:${Deno.env.get("PATH")}`,
      HOME: this.directory.join("home"),
      TMPDIR: this.directory.path,
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_EC2_METADATA_V1_DISABLED: "true",
    };
  }

  /** Runs a script with more variables, in the folder; it must succeed. */
  async run(script: string, env: Readonly<Record<string, string>>): Promise<Result> {
    const result = await runProgram("sh", ["-euc", script], {
      cwd: this.directory.path,
      env: { ...this.#env, ...env },
    });
    assertEquals(result.code, 0, `${script}\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** Runs the quick start's first four steps, and returns the scenario that has their authority. */
  async setUp(): Promise<SessionScenario> {
    await using plane = new ControlPlane(ARNS);
    const steps = blocks(README, "quick start");
    assertEquals(steps.length, 6, "the quick start has lost a step");
    const script = `${
      steps.slice(0, 4).join("\n")
    }printf '%s\\n' "$trust_anchor" "$role" "$profile"`;
    const { stdout } = await this.run(script, administrator(plane));
    assertEquals(stdout, `${ARNS.trustAnchor}\n${ARNS.role}\n${ARNS.profile}\n`);
    const ca = Deno.readTextFileSync(this.directory.join("ca.pem"));
    assertEquals(plane.calls, [
      "CreateTrustAnchor",
      "CreateRole",
      "AttachRolePolicy",
      "CreateProfile",
    ]);
    assertEquals(plane.trustedCertificate?.trim(), ca.trim());
    return await SessionScenario.create({}, { trustAnchors: [ca] });
  }

  /** Runs the clean-up of the quick start, and returns the names of its calls. */
  async cleanUp(): Promise<readonly string[]> {
    // The AWS CLI requires IDs that are UUIDs.
    const prefix = "arn:aws:rolesanywhere:us-east-1:123456789012";
    const profile = `${prefix}:profile/${crypto.randomUUID()}`;
    const trustAnchor = `${prefix}:trust-anchor/${crypto.randomUUID()}`;
    await using plane = new ControlPlane({ ...ARNS, profile, trustAnchor });
    const [script = ""] = blocks(README, "clean-up");
    await this.run(script, { ...administrator(plane), profile, trust_anchor: trustAnchor });
    return plane.calls;
  }

  /** Variables of the quick start, and those that lead to the emulator in place of AWS. */
  variables({ emulator, caBundle }: SessionScenario): Record<string, string> {
    return {
      trust_anchor: ARNS.trustAnchor,
      role: ARNS.role,
      profile: ARNS.profile,
      AWS_SIGNING_HELPER_ENDPOINT: emulator.url,
      AWS_SIGNING_HELPER_CA_BUNDLE: caBundle,
    };
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

testWith(
  ["binary", "python-client", "program:curl", "program:openssl"],
  "the quick start and the three ways of README.md work as they are written",
  async (context) => {
    using reader = new Reader();
    await using scenario = await reader.setUp();
    const { emulator } = scenario;
    await using sts = new StsService(() => emulator.issued);
    const env = { ...reader.variables(scenario), AWS_ENDPOINT_URL_STS: sts.url };
    /** Returns the number of sessions that a script gets. */
    const sessions = async (script: string): Promise<[issued: number, result: Result]> => {
      const before = emulator.issued.length;
      const result = await reader.run(script, env);
      return [emulator.issued.length - before, result];
    };
    const isCaller = ({ stdout }: Result) =>
      assertEquals(JSON.parse(stdout), {
        UserId: sts.identity.userId,
        Account: sts.identity.account,
        Arn: sts.identity.arn,
      });

    await context.step("credentials", async () => {
      const [, , , , step = "", doctor = ""] = blocks(README, "quick start");
      const [issued, { stdout }] = await sessions(step);
      assertEquals([issued, JSON.parse(stdout).AccessKeyId], [
        1,
        emulator.issued.at(-1)?.accessKeyId,
      ]);
      const { stdout: report } = await reader.run(doctor, env);
      assertMatch(report, /^ok +key/m);
    });

    await context.step("update, and the AWS CLI", async () => {
      const [script = ""] = blocks(README, "update");
      const [issued, result] = await sessions(script);
      assertEquals(issued, 1);
      isCaller(result);
    });

    await context.step("configure, and the AWS CLI", async () => {
      const [script = ""] = blocks(README, "configure");
      const [issued, result] = await sessions(script);
      assert(issued > 0);
      isCaller(result);
    });

    await context.step("doctor reads the profile that configure wrote", async () => {
      const [script = ""] = blocks(README, "doctor");
      assertMatch((await reader.run(script, env)).stdout, /^ok +key/m);
    });

    await context.step("the cache", async () => {
      const [script = ""] = blocks(CREDENTIALS, "cache");
      const [issued, { stdout }] = await sessions(`${script}\n${script}`);
      const [first, second] = stdout.trim().split("\n");
      assertEquals([issued, first], [1, second]);
    });

    await context.step("serve, and its clients", async () => {
      const [command = ""] = blocks(README, "serve");
      assertEquals([...command.matchAll(/--port 1338/g)].length, 1);
      // exec: the shell becomes the binary, so that signals reach it.
      const shell = [
        "sh",
        "-euc",
        `cd "$FOLDER"\nexec ${command.replace("--port 1338", "--port 0")}`,
      ];
      await using serve = new RunningBinary([], {
        ...env,
        PATH: `${reader.directory.join("bin")}:${Deno.env.get("PATH")}`,
        FOLDER: reader.directory.path,
      }, shell);
      const said = await serve.waitForLine(/^export AWS_EC2_METADATA_SERVICE_ENDPOINT=/);
      const port = /:(\d+)\/$/.exec(said)?.[1] ?? "";
      const [client = ""] = blocks(README, "serve client");
      isCaller(await reader.run(client.replace("1338", port), env));
      const [byHand = ""] = blocks(SERVE, "serve by hand");
      const { stdout } = await reader.run(byHand.replaceAll("1338", port), env);
      assertMatch(stdout, /"AccessKeyId" ?: ?"ASIA[^]*"status" ?: ?"ok"/);
      serve.kill("SIGTERM");
      await serve.end();
    });

    await context.step("clean-up", async () => {
      assertEquals(await reader.cleanUp(), [
        "DeleteProfile",
        "DeleteTrustAnchor",
        "DetachRolePolicy",
        "DeleteRole",
      ]);
    });

    assert(sts.calls.every((call) => !("refused" in call)));
  },
);
