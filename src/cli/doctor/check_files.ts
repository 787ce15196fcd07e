/**
 * Checks who can read and change the files of keys, certificates and passwords.
 *
 * @module
 */
import { dirname } from "../../path.ts";
import { type FlagName, flagOf, FLAGS } from "../flags/flags.ts";
import { fileOf, type KeystoreUri } from "../../keystore/uri.ts";
import { type Finding, finding, type FindingName, okUnless } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

/** Permission bits of others and of the group. */
const OTHERS = { read: 0o004, write: 0o002 } as const;
const GROUP = { read: 0o040, write: 0o020 } as const;
const STICKY = 0o1000;
/** Maximum size of a file whose PEM labels are read, bytes. */
const MAX_PEM_BYTES = 1 << 20;

interface FileToCheck {
  readonly path: string;
  readonly holds: "key" | "certificate" | "secret" | "roles";
}

/** Checks every file that the flags name. Windows permissions are not checked. */
export function checkFiles({ values, system, source }: CheckContext): readonly Finding[] {
  const keyIn = source?.privateKey ?? source?.certificate;
  const inVariable = keyIn?.input?.kind === "variable" ? [describeVariable(keyIn)] : [];
  if (system.platform === "windows") return inVariable;
  const secrets = Object.keys(FLAGS).filter((name): name is FlagName =>
    flagOf(name as FlagName).kind === "secret"
  ).flatMap((name) => {
    const given = values.secretSource(name);
    return given && !given.literal ? /^file:(.+)$/s.exec(given.text)?.[1] ?? [] : [];
  });
  const roles = values.text("roles");
  const files: FileToCheck[] = [
    ...filePaths(keyIn).map((path) => ({ path, holds: "key" as const })),
    ...[source?.certificate, source?.intermediates].flatMap(filePaths)
      .filter((path) => path !== keyIn?.path)
      .map((path) => ({ path, holds: "certificate" as const })),
    ...secrets.map((path) => ({ path, holds: "secret" as const })),
    ...(roles === undefined ? [] : [{ path: roles, holds: "roles" as const }]),
  ];
  const existing = files.filter(({ path }) => tryStat(path) !== undefined);
  if (existing.length === 0) return inVariable;
  const directories = new Set(existing.filter(isChecked).map(({ path }) => dirname(path)));
  const findings = okUnless(
    [...existing.flatMap(checkFile), ...[...directories].flatMap(checkDirectory)],
    finding("files", "only their owner can read keys and passwords, and change files"),
  );
  return [...findings, ...inVariable];
}

function describeVariable({ displayName }: KeystoreUri): Finding {
  return finding(
    "key-in-variable",
    `${displayName} has the private key; every program that inherits the variable can read it`,
  );
}

function filePaths(uri: KeystoreUri | undefined): string[] {
  const path = fileOf(uri);
  return path === undefined ? [] : [path];
}

/** Returns false for missing files, which opening reports, and for pipes and devices. */
function isChecked({ path }: FileToCheck): boolean {
  return tryStat(path)?.isFile ?? false;
}

function checkFile({ path, holds }: FileToCheck): Finding[] {
  const info = tryStat(path);
  if (!info?.isFile || info.mode === null) return [];
  const findings: Finding[] = [];
  const add = (name: FindingName, problem: string) =>
    findings.push(finding(name, `${path} ${problem}`));
  const advice = `; run chmod go-rwx ${path}`;
  const canOthersRead = (info.mode & (OTHERS.read | GROUP.read)) !== 0;
  // A certificate in the key's place: opening it reports that the key is missing.
  const hasKey = holds === "key" && !(canOthersRead && hasOnlyCertificates(path, info));
  if (hasKey && info.mode & OTHERS.read) {
    add("key-file-open", `has the private key, and every user can read it${advice}`);
  } else if (hasKey && info.mode & GROUP.read) {
    add("key-file-group", `has the private key, and its group can read it${advice}`);
  }
  if (holds === "secret" && canOthersRead) {
    add("secret-file-open", `has a password or PIN, and other users can read it${advice}`);
  }
  if (info.mode & (OTHERS.write | GROUP.write)) {
    add("file-writable", `can be changed by other users; run chmod go-w ${path}`);
  }
  const isForeign = info.uid !== null && info.uid !== 0 && info.uid !== Deno.uid();
  if (isForeign && (holds === "key" || holds === "roles")) {
    const what = holds === "key" ? "key" : "roles";
    add("file-owner", `belongs to another user, who can replace the ${what}; change its owner`);
  }
  return findings;
}

/** Returns true for PEM with certificates only, such as a file that was named in place of the key's. */
function hasOnlyCertificates(path: string, { size }: Deno.FileInfo): boolean {
  if (size > MAX_PEM_BYTES) return false;
  try {
    const labels = Deno.readTextFileSync(path).match(/-----BEGIN [^-\r\n]+-----/g) ?? [];
    return labels.length > 0 && labels.every((label) => label.includes("CERTIFICATE"));
  } catch {
    return false;
  }
}

function checkDirectory(path: string): Finding[] {
  const mode = tryStat(path)?.mode ?? 0;
  if (!(mode & OTHERS.write) || mode & STICKY) return [];
  return [
    finding(
      "directory-writable",
      `files in ${path} can be replaced by every user; run chmod o-w ${path}`,
    ),
  ];
}

function tryStat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}
