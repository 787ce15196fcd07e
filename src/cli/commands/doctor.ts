/**
 * `doctor`: looks for what is wrong before a person has to ask. One line a finding, each with what
 * to do; no secret in it, so that it can be pasted into a report.
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
import { checkKey } from "../doctor/check_key.ts";
import { checkKeystores } from "../doctor/check_keystores.ts";
import { checkNetwork } from "../doctor/check_network.ts";
import { checkTerminal } from "../doctor/check_terminal.ts";
import { type Finding, found, type Level } from "../doctor/finding.ts";
import { inspect, type Inspection } from "../doctor/check_context.ts";
import { profileCommand } from "../doctor/profile_command.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { PROGRAM } from "../program.ts";
import { VERSION } from "./version.ts";
import type { System } from "../system.ts";

type Check = (inspection: Inspection) => readonly Finding[] | Promise<readonly Finding[]>;

/** The checks, in the order of the report. */
const CHECKS: readonly Check[] = [
  checkArns,
  checkKey,
  checkCertificate,
  checkChain,
  checkFiles,
  checkEnvironment,
  checkClients,
  (inspection) => checkKeystores(inspection),
  checkTerminal,
  checkNetwork,
];

/** Checks that need no flags: those of a profile whose line cannot be read. */
const CHECKS_WITHOUT_FLAGS: readonly Check[] = [checkEnvironment, checkClients, checkTerminal];

/** Prints the report. Throws `doctor` when it has a problem. */
export async function doctor(values: FlagValues, system: System): Promise<void> {
  const profile = values.given("profile");
  const command = profile === undefined
    ? { findings: [], values }
    : await profileCommand(profile, values, system);
  const findings: Finding[] = [...command.findings];
  const inspection = command.values
    ? await inspect(command.values, system)
    : { values, system, opening: {} };
  const checks = command.values ? CHECKS : CHECKS_WITHOUT_FLAGS;
  for (const check of checks) findings.push(...await runCheck(check, inspection));
  const count = (wanted: Level) => findings.filter(({ level }) => level === wanted).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  system.write(
    values.isOn("json")
      ? jsonReport(findings, problems, warnings, system)
      : textReport(findings, problems, warnings, system),
  );
  if (problems > 0) {
    throw new HelperError("doctor", `${counted(problems, "problem")} found`);
  }
}

async function runCheck(check: Check, inspection: Inspection): Promise<readonly Finding[]> {
  try {
    return await check(inspection);
  } catch (thrown) {
    // The text of what was not meant to be thrown might hold anything.
    const words = thrown instanceof HelperError ? messageOf(thrown) : "a check failed by itself";
    return [found("internal", `${words}; please report it`)];
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
    `${counted(problems, "problem")}, ${counted(warnings, "warning")}\n`;
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

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
