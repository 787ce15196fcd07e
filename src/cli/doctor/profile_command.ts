/**
 * Reads the `credential_process` line of a profile, for `doctor --profile NAME`. Parses it like AWS
 * SDKs and checks it like a typed command.
 *
 * @module
 */
import { delimiter, isAbsolute, resolve } from "node:path";
import { HelperError, messageOf } from "../../errors.ts";
import { describeInput, parseInput } from "../../keystore/uri.ts";
import {
  configurationHeader,
  OVERRIDING_SETTINGS,
  type Profile,
  readProfile,
} from "../settings/aws_profiles.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { COMMANDS, type FlagName } from "../flags/flags.ts";
import { parseArguments } from "../flags/parse.ts";
import { SOURCE_FLAGS } from "../keystore_context.ts";
import { findRelativePaths, unavailableInput } from "../settings/credential_process_args.ts";
import { shellSyntaxIn, splitCommandLine } from "../settings/split_command_line.ts";
import type { System } from "../system.ts";
import { type Finding, finding } from "./finding.ts";

/** Result of reading a profile's line. */
export interface ProfileCommand {
  readonly findings: readonly Finding[];
  /** Its flags; undefined if the line does not run `credential-process`. */
  readonly values?: FlagValues;
}

const SETTING = "credential_process";
/** Flags of doctor itself; others come from the line. */
const OWN_FLAGS: readonly FlagName[] = ["profile", "json", "debug"];

/** Reads the line. Throws `usage` if the command line has flags other than doctor's own. */
export async function readProfileCommand(
  name: string,
  typed: FlagValues,
  system: System,
): Promise<ProfileCommand> {
  const other = COMMANDS.doctor.flags.find((flag) =>
    !OWN_FLAGS.includes(flag) && typed.isOnCommandLine(flag)
  );
  if (other) {
    throw new HelperError(
      "usage",
      `--profile and --${other} cannot be used together; the profile has the flags to check`,
    );
  }
  const profile = await readProfile(name, system);
  const { configuration, configurationPath } = profile;
  const label = `[${configurationHeader(name)}] in ${configurationPath}`;
  const line = configuration?.get(SETTING);
  if (!configuration) {
    return {
      findings: [finding("profile-missing", `${label} does not exist; try configure --write`)],
    };
  }
  const findings = findOverridingSources(profile, label);
  if (!line) {
    const missing = finding("profile-missing", `${label} has no ${SETTING}; try configure --write`);
    return { findings: [...findings, missing] };
  }
  const syntax = system.platform === "windows" ? undefined : shellSyntaxIn(line);
  if (syntax !== undefined) {
    findings.push(
      finding(
        "profile-shell",
        `${label}: ${SETTING} has ${syntax} outside single quotes, which some SDKs pass to sh; ` +
          "use configure to write the line",
      ),
    );
  }
  try {
    const args = splitCommandLine(line, system.platform);
    findings.push(...checkProgram(args[0] ?? "", label, system));
    const request = await parseArguments(
      args.slice(1),
      (variable) => system.environment(variable),
    );
    if (request.kind !== "run" || request.command !== "credential-process") {
      const message = `${label}: ${SETTING} does not run credential-process; correct the line`;
      return { findings: [...findings, finding("profile-command", message)] };
    }
    const input = findUnavailableInput(request.values);
    if (input !== undefined) {
      const message = `${label}: ${unavailableInput(input)}`;
      return { findings: [...findings, finding("profile-command", message)] };
    }
    findings.push(...checkPaths(args[0] ?? "", request.values, label, system));
    return {
      findings: [finding("profile", `checked the flags of ${label}`), ...findings],
      values: request.values,
    };
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    return {
      findings: [...findings, finding("profile-command", `${label}: ${messageOf(thrown)}`)],
    };
  }
}

/** Returns the name of a source that only exists in the shell that runs a command. */
function findUnavailableInput(values: FlagValues): string | undefined {
  return SOURCE_FLAGS.map((flag) => parseInput(values.text(flag) ?? ""))
    .flatMap((input) => input?.kind === "descriptor" ? [describeInput(input)] : [])[0];
}

/** Finds other settings and keys of the profile that AWS SDKs use before the line. */
function findOverridingSources(
  { name, configuration, credentials, credentialsPath }: Profile,
  label: string,
): Finding[] {
  const findings = OVERRIDING_SETTINGS.filter((key) => configuration?.has(key)).map((key) =>
    finding(
      "other-provider",
      `${label} sets ${key}, which SDKs may use before ${SETTING}; remove it`,
    )
  );
  if (credentials?.has("aws_access_key_id")) {
    findings.push(
      finding(
        "other-provider",
        `[${name}] in ${credentialsPath} has keys, which SDKs use before ${SETTING}; remove them`,
      ),
    );
  }
  return findings;
}

function checkPaths(
  program: string,
  values: FlagValues,
  label: string,
  system: System,
): Finding[] {
  const parts = [
    ...(/[/\\]/.test(program) && !isAbsolute(program) ? ["the program"] : []),
    ...findRelativePaths(values, system).map((name) => `--${name}`),
  ];
  return parts.length === 0 ? [] : [
    finding(
      "profile-relative",
      `${label}: ${parts.join(", ")}: SDKs start the program in any ` +
        "directory; write absolute paths, or use configure --write",
    ),
  ];
}

function checkProgram(program: string, label: string, system: System): Finding[] {
  const reason = findRunProblem(program, system);
  return reason === undefined ? [] : [
    finding(
      "profile-program",
      `${label}: the program of ${SETTING} ${reason}; use its absolute path`,
    ),
  ];
}

function findRunProblem(program: string, system: System): string | undefined {
  const isPath = /[/\\]/.test(program);
  const path = system.environment("PATH") ?? "";
  const folders = isPath ? [system.currentDirectory()] : path.split(delimiter).filter(isAbsolute);
  const suffixes = system.platform === "windows" ? ["", ".exe"] : [""];
  const files = folders.flatMap((folder) =>
    suffixes.map((suffix) => resolve(folder, `${program}${suffix}`))
  );
  const modes = files.flatMap((file) => {
    try {
      const { isFile, mode } = Deno.statSync(file);
      return isFile ? [mode ?? 0o111] : [];
    } catch {
      return [];
    }
  });
  if (modes.length === 0) return isPath ? "does not exist" : "is not on PATH";
  return modes.some((mode) => (mode & 0o111) !== 0) ? undefined : "is not executable";
}
