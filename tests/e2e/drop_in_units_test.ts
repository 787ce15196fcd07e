/**
 * systemd units for AWS's helper, reworded. systemd accepts them, and their command lines work with
 * our binary at the same path.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { wordsOf } from "./drop_in/case.ts";

interface Unit {
  /** The `[Service]` section; `{flags}` is replaced by certificate, key and service. */
  readonly service: string;
  /** A line that a long-running service prints; if absent, it ends by itself. */
  readonly output?: RegExp;
  /** The file below the home that must contain the profile. */
  readonly writes?: string;
}

const UNITS: Readonly<Record<string, Unit>> = {
  "serve": {
    service: `Type=simple
ExecStart=/usr/local/bin/aws_signing_helper serve --port 0 {flags}
Restart=always`,
    output: /Starting server on port/,
  },
  "serve over continued lines, with a hop limit": {
    service: `ExecStart=/usr/local/bin/aws_signing_helper serve \\
  --port 0 \\
  --hop-limit 1 \\
  {flags}
Restart=on-failure
RestartSec=5`,
    output: /Starting server on port/,
  },
  "update without --once": {
    service: `ExecStart=/usr/local/bin/aws_signing_helper update {flags} --profile default
Restart=always`,
    output: /wrote/,
    writes: ".aws/credentials",
  },
  "update --once for a timer": {
    service: `Type=oneshot
ExecStart=/usr/local/bin/aws_signing_helper update --once {flags}`,
    writes: ".aws/credentials",
  },
  "a quoted profile, and the file from Environment=": {
    service: `Type=oneshot
Environment="AWS_SHARED_CREDENTIALS_FILE={home}/shared credentials"
ExecStart=/usr/local/bin/aws_signing_helper update --once --profile "default" {flags}`,
    writes: "shared credentials",
  },
};

/** Parses a section like systemd: continued lines, and `Environment=` in quotes. */
function readService(text: string): { line: string; env: Record<string, string> } {
  const settings = text.replaceAll(/\\\n\s*/g, "").split("\n").map((line) => line.split(/=(.*)/s));
  const of = (name: string) => settings.filter(([key]) => key === name).map(([, value]) => value);
  const env = of("Environment").map((value = "") => value.replaceAll('"', "").split(/=(.*)/s));
  return {
    line: of("ExecStart")[0] ?? "",
    env: Object.fromEntries(env.map(([name = "", value = ""]) => [name, value])),
  };
}

for (const [name, { service, output, writes }] of Object.entries(UNITS)) {
  testWith(["binary", "program:systemd-analyze"], `a unit works unchanged: ${name}`, async () => {
    await using scenario = await SessionScenario.create();
    const { directory } = scenario;
    const home = directory.join("home");
    Deno.mkdirSync(home);
    const text = service.replaceAll("/usr/local/bin/aws_signing_helper", "{binary}")
      .replaceAll("{binary}", directory.join("aws_signing_helper"))
      .replaceAll("{home}", home);
    Deno.symlinkSync(BINARY, directory.join("aws_signing_helper"));
    const unit = directory.write(
      "helper.service",
      `[Service]\n${text.replaceAll("{flags}", scenario.flags.join(" "))}\n`,
    );
    const verified = await runProgram("systemd-analyze", ["verify", unit]);
    assertEquals(verified.stderr.split("\n").filter((line) => line.includes(unit)), []);
    const { line, env } = readService(text);
    const [program = "", ...args] = wordsOf(line, { flags: scenario.flags });
    assertEquals(program, directory.join("aws_signing_helper"));
    const environment = { HOME: home, ...env };
    if (output) {
      await using running = new RunningBinary(args, environment);
      await running.waitForLine(output);
      running.kill("SIGTERM");
      assertEquals((await running.end()).code, 0);
    } else {
      const { code, stdout, stderr } = await runProgram(program, args, { env: environment });
      assertEquals({ code, stdout }, { code: 0, stdout: "" }, stderr);
    }
    assertEquals(scenario.emulator.requests.length, 1);
    if (writes !== undefined) {
      const written = Deno.readTextFileSync(`${home}/${writes}`);
      assertMatch(written, /\[default\]\naws_access_key_id = ASIA/);
    }
  });
}
