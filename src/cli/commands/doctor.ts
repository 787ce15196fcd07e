/**
 * `doctor`: checks configuration, key, certificate and network. Prints one line per finding, with
 * advice and without secrets, so that it can be pasted into a report.
 *
 * @module
 */
import { HelperError, messageOf } from "../../errors.ts";
import { checkArns } from "../doctor/check_arns.ts";
import { checkCertificate } from "../doctor/check_certificate.ts";
import { checkChain } from "../doctor/check_chain.ts";
import { checkClients } from "../doctor/check_clients.ts";
import { checkEnvironment } from "../doctor/check_environment.ts";
import { checkFiles } from "../doctor/check_files.ts";
import { checkIdentity } from "../doctor/check_identity.ts";
import { checkKey } from "../doctor/check_key.ts";
import { checkKeystores } from "../doctor/check_keystores.ts";
import { checkNetwork } from "../doctor/check_network.ts";
import { checkRoleChain } from "../doctor/check_role_chain.ts";
import { checkTerminal } from "../doctor/check_terminal.ts";
import { type Finding, finding, type Level } from "../doctor/finding.ts";
import { type CheckContext, createCheckContext } from "../doctor/check_context.ts";
import { isInterruption } from "../doctor/open_identity.ts";
import { readProfileCommand } from "../doctor/profile_command.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { PROGRAM } from "../program.ts";
import { VERSION } from "./version.ts";
import type { System } from "../system.ts";

type Check = (context: CheckContext) => readonly Finding[] | Promise<readonly Finding[]>;

/** The checks, in the order of the report. */
const CHECKS: readonly Check[] = [
  ({ values }) => values.text("roles") === undefined ? checkArns({ values }) : [],
  (context) => context.values.text("roles") === undefined ? checkRoleChain(context) : [],
  async (context) =>
    context.values.text("roles") === undefined
      ? []
      : await (await import("../doctor/check_roles.ts")).checkRoles(context),
  checkKey,
  checkIdentity,
  checkCertificate,
  checkChain,
  checkFiles,
  checkEnvironment,
  checkClients,
  (context) => checkKeystores(context),
  checkTerminal,
  async (context) => {
    if (context.values.text("roles") === undefined) return await checkNetwork(context);
    const { firstRoleValues } = await import("../doctor/check_roles.ts");
    return await checkNetwork({ ...context, values: await firstRoleValues(context.values) });
  },
];

/** Checks that need no flags, for a profile whose credential_process cannot be parsed. */
const CHECKS_WITHOUT_FLAGS: readonly Check[] = [checkEnvironment, checkClients, checkTerminal];

/** Prints the report. Throws `doctor` if there is a problem. */
export async function doctor(values: FlagValues, system: System): Promise<void> {
  const profile = values.given("profile");
  const command = profile === undefined
    ? { findings: [], values }
    : await readProfileCommand(profile, values, system);
  const findings: Finding[] = [...command.findings];
  const context = command.values
    ? await createCheckContext(command.values, system)
    : { values, system, opening: {} };
  const checks = command.values ? CHECKS : CHECKS_WITHOUT_FLAGS;
  for (const check of checks) findings.push(...await runCheck(check, context));
  const count = (wanted: Level) => findings.filter(({ level }) => level === wanted).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  system.write(
    values.isOn("json")
      ? jsonReport(findings, problems, warnings, system)
      : textReport(findings, problems, warnings, system),
  );
  if (problems > 0) {
    throw new HelperError("doctor", `${formatCount(problems, "problem")} found`);
  }
}

async function runCheck(check: Check, context: CheckContext): Promise<readonly Finding[]> {
  try {
    return await check(context);
  } catch (thrown) {
    if (isInterruption(thrown)) throw thrown;
    // Do not print the message of an unexpected error; it may contain a secret.
    const message = thrown instanceof HelperError
      ? messageOf(thrown)
      : "a check failed unexpectedly";
    return [finding("internal", `${message}; please report it`)];
  }
}

function textReport(
  findings: readonly Finding[],
  problems: number,
  warnings: number,
  system: System,
): string {
  const lines = findings.map(({ level, name, message }) =>
    `${level.padEnd(7)}  ${name}: ${message}\n`
  );
  return `${PROGRAM} ${VERSION}, ${system.platform} ${system.architecture}\n${lines.join("")}` +
    `${formatCount(problems, "problem")}, ${formatCount(warnings, "warning")}\n`;
}

function jsonReport(
  findings: readonly Finding[],
  problems: number,
  warnings: number,
  system: System,
): string {
  const { platform, architecture } = system;
  const report = { version: VERSION, platform, architecture, problems, warnings, findings };
  return `${JSON.stringify(report)}\n`;
}

function formatCount(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
