/**
 * The workflows of plugins/file/README.md, run as a CI service runs them. Each script runs in a
 * shell with the variables of its step. The key is searched for in everything that others can see.
 */
import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";

import { StsService } from "../clients/sts_service.ts";
import { BINARY, type Result, runProgram } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { ExposureWatch, keySecrets } from "../support/exposure.ts";
import { testWith } from "../support/needs.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON, writeAwsCommand } from "../support/tools.ts";
import { encodeBase64 } from "@std/encoding/base64";

const FILES = "plugins/file/README.md";

type Variables = Readonly<Record<string, string>>;

/** Time that the service takes to respond: the program is searched while it waits. */
const LATENCY = 1_500;

async function parseYaml(text: string): Promise<unknown> {
  const script = "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
  // A key `on` is true in YAML 1.1.
  const stdin = text.replace(/^on:/m, '"on":');
  const { code, stdout, stderr } = await runProgram(PYTHON, ["-c", script], { stdin });
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

/** A machine of a CI service. */
class Runner implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly #sts: StsService;
  readonly #program: string;

  constructor(readonly scenario: SessionScenario) {
    this.#sts = new StsService(() => scenario.emulator.issued);
    for (const name of ["bin", "home", "tmp", "work"]) Deno.mkdirSync(this.directory.join(name));
    writeAwsCommand(this.directory.join("bin"));
    this.#program = this.directory.join("bin/aws_signing_helper");
    // A copy: it has no processes of other tests.
    Deno.copyFileSync(BINARY, this.#program);
    Deno.chmodSync(this.#program, 0o755);
  }

  /** Runs a script with a shell, and throws if the key is where others can see it. */
  async run(shell: readonly string[], script: string, env: Variables): Promise<Result> {
    const { emulator, caBundle, identity } = this.scenario;
    const file = this.directory.write("script.sh", script);
    const secrets = keySecrets(identity);
    await using watch = new ExposureWatch(this.#program, secrets);
    const result = await runProgram("sh", [
      ...["-c", 'ulimit -c unlimited; exec "$0" "$@"', ...shell, file],
    ], {
      cwd: this.directory.join("work"),
      env: {
        PATH: `${this.directory.join("bin")}:${Deno.env.get("PATH")}`,
        HOME: this.directory.join("home"),
        TMPDIR: this.directory.join("tmp"),
        CI: "true",
        AWS_SIGNING_HELPER_ENDPOINT: emulator.url,
        AWS_SIGNING_HELPER_CA_BUNDLE: caBundle,
        AWS_ENDPOINT_URL_STS: this.#sts.url,
        AWS_EC2_METADATA_DISABLED: "true",
        ...env,
      },
    });
    await watch.check();
    for (const folder of ["home", "tmp", "work"]) watch.checkFiles(this.directory.join(folder));
    assertEquals(secrets.findIn(result.stdout + result.stderr), undefined);
    return result;
  }

  isCaller({ code, stdout, stderr }: Result): void {
    assertEquals([code, stderr], [0, ""]);
    assertEquals(JSON.parse(stdout).Arn, this.#sts.identity.arn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sts[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }
}

interface Step {
  readonly run: string;
  readonly env?: Variables;
}

interface Job {
  readonly env: Variables;
  readonly steps: Step[];
}

/** Shell of GitHub Actions. */
const GITHUB = ["bash", "-e"];
/** Shell of GitLab CI. */
const GITLAB = ["bash", "-eo", "pipefail"];

testWith(
  ["linux", "binary", "python-client"],
  "the example of GitHub Actions gets a session and exposes no key",
  async () => {
    await using scenario = await SessionScenario.create({}, { latencyMilliseconds: LATENCY });
    await using runner = new Runner(scenario);
    const [text = ""] = blocks(FILES, "github actions");
    const { jobs } = await parseYaml(text) as { jobs: Record<string, Job> };
    const steps = jobs["deploy"]?.steps ?? [];
    assertEquals(steps.length, 2);
    const { certificatePem, keyPem } = scenario.identity;
    const project: Variables = {
      "vars.AWS_CERTIFICATE": certificatePem,
      "secrets.AWS_PRIVATE_KEY": keyPem,
      "vars.AWS_ROLE_ARN": ARNS.role,
      "vars.AWS_PROFILE_ARN": ARNS.profile,
      "vars.AWS_TRUST_ANCHOR_ARN": ARNS.trustAnchor,
    };
    /** Runs the steps, and returns the result of each until one fails. */
    const runJob = async (variables: Variables): Promise<Result[]> => {
      const results: Result[] = [];
      for (const { run, env = {} } of steps) {
        const values = Object.entries(env).map(([name, value]) => {
          const [, expression = ""] = /^\$\{\{ ([\w.]+) \}\}$/.exec(value) ?? [];
          // GitHub replaces what is not defined with an empty text.
          return [name, variables[expression] ?? ""];
        });
        const result = await runner.run(GITHUB, run, {
          ...jobs["deploy"]?.env,
          ...Object.fromEntries(values),
        });
        results.push(result);
        if (result.code !== 0) break;
      }
      return results;
    };
    const [update, caller] = await runJob(project);
    assertEquals([update?.code, update?.stdout, update?.stderr], [0, "", ""]);
    if (caller) runner.isCaller(caller);
    const credentials = runner.directory.join("home/.aws/credentials");
    assertEquals((Deno.statSync(credentials).mode ?? 0) & 0o777, 0o600);
    assertEquals(scenario.emulator.issued.length, 1);

    const [fork] = await runJob({ ...project, "secrets.AWS_PRIVATE_KEY": "" });
    assertEquals(fork?.code, 3);
    assertStringIncludes(fork?.stderr ?? "", "env:PRIVATE_KEY is empty");
  },
);

testWith(
  ["linux", "binary", "python-client"],
  "the example of GitLab CI gets a session and exposes no key",
  async () => {
    await using scenario = await SessionScenario.create({}, { latencyMilliseconds: LATENCY });
    await using runner = new Runner(scenario);
    const [text = ""] = blocks(FILES, "gitlab ci");
    const { deploy } = await parseYaml(text) as {
      deploy: { script: string[]; variables: Variables };
    };
    assertGreater(deploy.script.length, 2);
    const base64 = encodeBase64(scenario.identity.keyPem);
    const variables: Variables = {
      ...deploy.variables,
      AWS_CERTIFICATE: scenario.identity.certificatePem,
      AWS_PRIVATE_KEY: base64,
      AWS_SIGNING_HELPER_ROLE_ARN: ARNS.role,
      AWS_SIGNING_HELPER_PROFILE_ARN: ARNS.profile,
      AWS_SIGNING_HELPER_TRUST_ANCHOR_ARN: ARNS.trustAnchor,
    };
    // The last command shows the variables that the programs after it inherit.
    const script = deploy.script.join("\n");
    runner.isCaller(await runner.run(GITLAB, script, variables));
    const { stdout } = await runner.run(GITLAB, `${script} >/dev/null\nexec env`, variables);
    assertStringIncludes(stdout, "AWS_CERTIFICATE=");

    const { AWS_PRIVATE_KEY: _, ...unprotected } = variables;
    const { code, stderr } = await runner.run(GITLAB, script, unprotected);
    assertEquals(code, 3);
    assertStringIncludes(stderr, "env:AWS_PRIVATE_KEY is not set");
  },
);
