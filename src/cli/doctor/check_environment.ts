/**
 * Checks variables and flags that change what a run does, or expose a secret. Pure except for reading
 * the CA bundle.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { chooseProxy, PROXY_VARIABLES } from "../../http/proxy.ts";
import { similarFlags } from "../flags/find_command.ts";
import { type FlagName, flagOf, FLAGS, isFlagName, variableOf } from "../flags/flags.ts";
import { checkStoreFile, readBundle } from "../session_deps.ts";
import { type Finding, finding } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

/** Prefixes of secret sources, which keep the secret out of the process list. */
const SECRET_SOURCE = /^(env|file|fd):/;

/** Checks flags and variables. Returns no findings if all is well. */
export async function checkEnvironment(
  { values, system }: Pick<CheckContext, "values" | "system">,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const isSet = (name: string) => !!system.environment(name);
  for (const name of Object.keys(FLAGS) as FlagName[]) {
    const secret = flagOf(name).kind === "secret" ? values.secretSource(name) : undefined;
    const onCommandLine = values.sourceOf(name) === `--${name}`;
    if (secret && onCommandLine && !SECRET_SOURCE.test(secret.text)) {
      findings.push(
        finding(
          "secret-in-arguments",
          `--${name}: every user can see the secret in the process list; use file:PATH or env:NAME`,
        ),
      );
    }
  }
  findings.push(...await checkVariableNames(system));
  if (isSet("AWS_ACCESS_KEY_ID") && isSet("AWS_SECRET_ACCESS_KEY")) {
    findings.push(
      finding(
        "static-credentials",
        "AWS_ACCESS_KEY_ID is set, and SDKs use it before credential_process and serve; unset it",
      ),
    );
  }
  if (isSet("SSLKEYLOGFILE")) {
    findings.push(
      finding("tls-keys-logged", "SSLKEYLOGFILE is set, so no session is requested; unset it"),
    );
  }
  if (values.isOn("no-verify-ssl")) {
    findings.push(
      finding(
        "verification-off",
        "--no-verify-ssl lets anyone on the network path read the credentials; use --ca-bundle",
      ),
    );
  }
  return [
    ...findings,
    ...checkProxy(values, isSet, system),
    ...await checkBundle({ values, system }),
  ];
}

/** Finds variables of this program that belong to no flag: misspelt ones are silently ignored. */
async function checkVariableNames(system: CheckContext["system"]): Promise<Finding[]> {
  const flags = Object.keys(FLAGS).filter(isFlagName);
  const known = flags.map(variableOf);
  const unknown = system.environmentNames().filter((name) =>
    name.startsWith(PREFIX) && !known.includes(name)
  );
  return await Promise.all(unknown.map(async (name) => {
    const written = name.slice(PREFIX.length).toLowerCase().replaceAll("_", "-");
    const meant = (await similarFlags(written, flags)).filter(isFlagName).map(variableOf);
    const advice = meant.length > 0 ? `did you mean ${meant.join(" or ")}?` : "unset it";
    return finding("variable-unknown", `${name} belongs to no flag and is ignored; ${advice}`);
  }));
}

const PREFIX = "AWS_SIGNING_HELPER_";

function checkProxy(
  values: CheckContext["values"],
  isSet: (name: string) => boolean,
  system: CheckContext["system"],
): Finding[] {
  const variables = PROXY_VARIABLES.filter(isSet);
  if (variables.length === 0) return [];
  if (!values.isOn("with-proxy")) {
    return [
      finding(
        "proxy-ignored",
        `${variables.join(", ")} is set, and ignored by --with-proxy=false`,
      ),
    ];
  }
  try {
    chooseProxy(
      new URL("https://rolesanywhere.us-east-1.amazonaws.com"),
      (name) => system.environment(name),
    );
    return [];
  } catch (thrown) {
    return [finding("proxy-invalid", safeMessageOf(thrown))];
  }
}

async function checkBundle(
  { values, system }: Pick<CheckContext, "values" | "system">,
): Promise<Finding[]> {
  const bundle = values.text("ca-bundle");
  try {
    if (bundle !== undefined) await readBundle(bundle, values.sourceOf("ca-bundle"));
    await checkStoreFile(system);
    return [];
  } catch (thrown) {
    return [finding("ca-bundle", safeMessageOf(thrown))];
  }
}

/** Returns the message of our own errors. Others may contain a secret. */
function safeMessageOf(thrown: unknown): string {
  return thrown instanceof HelperError ? thrown.message : "it cannot be used";
}
