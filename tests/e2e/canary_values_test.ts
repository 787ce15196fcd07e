import { assertGreater } from "@std/assert";

import {
  type CommandName,
  commandOf,
  type FlagName,
  flagOf,
  variableOf,
} from "../../src/cli/flags/flags.ts";
import { CanaryCage, type CanaryRun, twoAtATime } from "../support/canary.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const PASSWORD = "Kreuzotter4567Ringelnatter";

/** Secrets as users paste them in the wrong place. */
function pastedValues(pem: string): Readonly<Record<string, string>> {
  const base64 = pem.replace(/-----[^-]*-----|\s/g, "");
  return {
    "PEM": pem,
    "PEM on one line": pem.replaceAll("\n", " "),
    "base64": base64,
    "base64 in lines": pem.replace(/-----[^-]*-----\n/g, ""),
    "base64 with a scheme": `env:${base64}`,
    "base64 as a file: URI": `file://${base64}`,
    "JSON": JSON.stringify({ key: pem }),
    "password in a URL": `https://user:${PASSWORD}@host.invalid/x`,
    "password in a file: URI": `file://user:${PASSWORD}@host.invalid/x`,
    "query": `https://host.invalid/x?token=${PASSWORD}`,
    "handle": `handle:${PASSWORD}`,
    "PIN": `pkcs11:object=x?pin-value=${PASSWORD}`,
    "PIN before the query": `pkcs11:object=x;pin-value=${PASSWORD}`,
  };
}

/** Commands, the flags that make them fail or end soon, and the flags that are tried. */
const COMMANDS: readonly {
  readonly command: CommandName;
  readonly flags: readonly string[];
  readonly tried: (flag: FlagName) => boolean;
  readonly env?: Readonly<Record<string, string>>;
}[] = [
  { command: "credential-process", flags: ["--debug"], tried: (flag) => flag !== "debug" },
  {
    command: "doctor",
    flags: ["--json"],
    tried: (flag) => /^(certificate|private-key|ca-bundle|endpoint|pkcs11-lib|profile)$/.test(flag),
  },
  {
    command: "serve",
    flags: ["--port=0"],
    tried: (flag) => /^(bind|container|allow)/.test(flag),
  },
  {
    command: "update",
    flags: ["--once"],
    tried: (flag) => flag === "profile",
    env: { AWS_SHARED_CREDENTIALS_FILE: "/" }, // the profile's name would be in the file
  },
];

/** Variables of other programs that hold names, paths and URLs. */
const VARIABLES = [
  "AWS_CA_BUNDLE",
  "AWS_CONFIG_FILE",
  "AWS_ENDPOINT_URL",
  "AWS_PROFILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "HTTPS_PROXY",
  "NO_PROXY",
  "PKCS11_MODULE_PATH",
  "TPM2TOOLS_TCTI",
  "TPM_DEVICE",
  "XDG_CACHE_HOME",
];

/** Settings of the configuration file. */
const SETTINGS = ["ca_bundle", "endpoint_url", "use_fips_endpoint"];

Deno.test("no command repeats a secret that was pasted as the value of a flag, variable or setting", async () => {
  await using scenario = await SessionScenario.create();
  using cage = new CanaryCage();
  const pem = Deno.readTextFileSync(scenario.identity.keyPath);
  const public_ = scenario.identity.certificatePem.replace(/-----[^-]*-----|\s/g, "");
  const secrets = new SecretWindows()
    .addText("the key", pem.replace(/-----[^-]*-----|\s/g, ""))
    .addText("the password", PASSWORD)
    .except(public_);
  const runs: CanaryRun[] = [];
  for (const [i, value] of Object.values(pastedValues(pem)).entries()) {
    for (const { command, flags, tried, env = {} } of COMMANDS) {
      for (const [j, flag] of commandOf(command).flags.filter(tried).entries()) {
        // A third of the values for each flag; each value is tried with a third of the flags.
        if (flagOf(flag).kind === "secret" || (i + j) % 3 > 0) continue;
        const args = [command, ...scenario.flags, ...flags];
        runs.push(
          i % 4 === 3
            ? {
              args: args.filter((_, at) => !`${args[at - 1]} ${args[at]}`.includes(`--${flag}`)),
              env: { [variableOf(flag)]: value, ...env },
            }
            : { args: [...args, `--${flag}=${value}`], env },
        );
      }
    }
    for (const [j, name] of VARIABLES.entries()) {
      if ((i + j) % 2 > 0) continue;
      const command = name === "AWS_SHARED_CREDENTIALS_FILE" ? ["update", "--once"] : ["doctor"];
      runs.push({
        args: [...command, ...scenario.flags.slice(0, -2), "--private-key=handle:0x81000001"],
        env: { [name]: value },
      });
    }
    for (const name of SETTINGS) {
      const config = cage.directory.write(
        `config-${i}-${name}`,
        `[default]\n${name} = ${value.replaceAll("\n", "\n  ")}\n`,
      );
      runs.push({
        args: ["credential-process", ...scenario.flags.slice(0, -4), "--debug"],
        env: { AWS_CONFIG_FILE: config },
      });
    }
  }
  const leaks: string[] = [];
  await twoAtATime(runs.map((run) => async () => {
    try {
      await cage.run({ ...run, seconds: 10 }, secrets);
    } catch (thrown) {
      leaks.push(thrown instanceof Error ? `${thrown.message} ${Object.keys(run.env ?? {})}` : "");
    }
  }));
  if (leaks.length > 0) throw new Error(leaks.join("\n"));
  assertGreater(cage.runs, 200);
});
