/**
 * What in the environment and among the flags changes what a run does, or shows a secret. Pure but
 * for reading the CA bundle.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { chooseProxy, PROXY_VARIABLES } from "../../http/proxy.ts";
import { type FlagName, flagOf, FLAGS, variableOf } from "../flags/flags.ts";
import { readBundle } from "../session_request.ts";
import { type Finding, found } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

/** How a secret is written that does not stand in the process list. */
const SECRET_SOURCE = /^(env|file|fd):/;

/** Checks flags and variables; nothing is said where all is well. */
export async function checkEnvironment(
  { values, system }: Pick<Inspection, "values" | "system">,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const isSet = (name: string) => !!system.environment(name);
  for (const name of Object.keys(FLAGS) as FlagName[]) {
    const secret = flagOf(name).kind === "secret" ? values.secretSource(name) : undefined;
    const onCommandLine = values.sourceOf(name) === `--${name}`;
    if (secret && onCommandLine && !SECRET_SOURCE.test(secret.text)) {
      findings.push(
        found(
          "secret-in-arguments",
          `--${name} holds the secret itself, which every user can see in the process list; ` +
            "use file:PATH or env:NAME",
        ),
      );
    }
  }
  findings.push(...await checkVariableNames(system));
  if (isSet("AWS_ACCESS_KEY_ID") && isSet("AWS_SECRET_ACCESS_KEY")) {
    findings.push(
      found(
        "static-credentials",
        "AWS_ACCESS_KEY_ID is set, and SDKs use it before credential_process and serve; unset it",
      ),
    );
  }
  if (isSet("SSLKEYLOGFILE")) {
    findings.push(
      found("tls-keys-logged", "SSLKEYLOGFILE is set, so that no session is asked for; unset it"),
    );
  }
  if (values.isOn("no-verify-ssl")) {
    findings.push(
      found(
        "verification-off",
        "--no-verify-ssl lets anyone on the way read the credentials; use --ca-bundle instead",
      ),
    );
  }
  return [...findings, ...checkProxy(values, isSet, system), ...checkBundle(values)];
}

/** Finds variables of this program that no flag has: misspelt ones are ignored without a word. */
async function checkVariableNames(system: Inspection["system"]): Promise<Finding[]> {
  const known = (Object.keys(FLAGS) as FlagName[]).map(variableOf);
  const unknown = system.environmentNames().filter((name) =>
    name.startsWith("AWS_SIGNING_HELPER_") && !known.includes(name)
  );
  if (unknown.length === 0) return [];
  const { closestString } = await import("@std/text/closest-string");
  return unknown.map((name) =>
    found(
      "variable-unknown",
      `${name} belongs to no flag and is ignored; did you mean ${closestString(name, known)}?`,
    )
  );
}

function checkProxy(
  values: Inspection["values"],
  isSet: (name: string) => boolean,
  system: Inspection["system"],
): Finding[] {
  const variables = PROXY_VARIABLES.filter(isSet);
  if (variables.length === 0) return [];
  if (!values.isOn("with-proxy")) {
    return [
      found(
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
    return [found("proxy-invalid", sentenceOf(thrown))];
  }
}

function checkBundle(values: Inspection["values"]): Finding[] {
  const bundle = values.text("ca-bundle");
  if (bundle === undefined) return [];
  try {
    readBundle(bundle, values.sourceOf("ca-bundle"));
    return [];
  } catch (thrown) {
    return [found("ca-bundle", sentenceOf(thrown))];
  }
}

/** Only our own errors are known to hold no secret. */
function sentenceOf(thrown: unknown): string {
  return thrown instanceof HelperError ? thrown.message : "it cannot be used";
}
