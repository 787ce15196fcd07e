/**
 * Who can read and change the files that hold keys, certificates and passwords.
 *
 * @module
 */
import { dirname } from "node:path";
import { type FlagName, flagOf, FLAGS } from "../flags/flags.ts";
import { fileOf, type KeystoreUri } from "../../keystore/uri.ts";
import { type Finding, type FindingName, found, okUnless } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

/** Permission bits of others and of the group. */
const OTHERS = { read: 0o004, write: 0o002 } as const;
const GROUP = { read: 0o040, write: 0o020 } as const;
const STICKY = 0o1000;

interface FileToCheck {
  readonly path: string;
  readonly holds: "key" | "certificate" | "secret";
}

/** Checks every file that the flags name. Windows has other permissions, which are not looked at. */
export function checkFiles({ values, system, source }: Inspection): readonly Finding[] {
  if (system.platform === "windows") return [];
  const secrets = Object.keys(FLAGS).filter((name): name is FlagName =>
    flagOf(name as FlagName).kind === "secret"
  ).flatMap((name) => {
    const given = values.secretSource(name);
    return given && !given.literal ? /^file:(.+)$/s.exec(given.text)?.[1] ?? [] : [];
  });
  const keyIn = source?.privateKey ?? source?.certificate;
  const files: FileToCheck[] = [
    ...pathOf(keyIn).map((path) => ({ path, holds: "key" as const })),
    ...[source?.certificate, source?.intermediates].flatMap(pathOf)
      .filter((path) => path !== keyIn?.path)
      .map((path) => ({ path, holds: "certificate" as const })),
    ...secrets.map((path) => ({ path, holds: "secret" as const })),
  ];
  const existing = files.filter(({ path }) => statOf(path) !== undefined);
  if (existing.length === 0) return [];
  return okUnless(
    existing.flatMap(checkFile),
    found("files", "keys and passwords can be read, and all files changed, by their owner alone"),
  );
}

function pathOf(uri: KeystoreUri | undefined): string[] {
  const path = fileOf(uri);
  return path === undefined ? [] : [path];
}

function checkFile({ path, holds }: FileToCheck): Finding[] {
  const info = statOf(path);
  // What is not there, and pipes and devices, are told of by whoever opens them.
  if (!info?.isFile || info.mode === null) return [];
  const findings: Finding[] = [];
  const add = (name: FindingName, words: string) => findings.push(found(name, `${path} ${words}`));
  const advice = `; run chmod go-rwx ${path}`;
  if (holds === "key" && info.mode & OTHERS.read) {
    add("key-file-open", `holds the private key and can be read by every user${advice}`);
  } else if (holds === "key" && info.mode & GROUP.read) {
    add("key-file-group", `holds the private key and can be read by its group${advice}`);
  }
  if (holds === "secret" && info.mode & (OTHERS.read | GROUP.read)) {
    add("secret-file-open", `holds a password or PIN and can be read by other users${advice}`);
  }
  if (info.mode & (OTHERS.write | GROUP.write)) {
    add("file-writable", `can be changed by other users; run chmod go-w ${path}`);
  }
  if (holds === "key" && info.uid !== null && info.uid !== 0 && info.uid !== Deno.uid()) {
    add("file-owner", "belongs to another user, who can replace the key; change its owner");
  }
  return [...findings, ...checkDirectory(dirname(path))];
}

function checkDirectory(path: string): Finding[] {
  const mode = statOf(path)?.mode ?? 0;
  if (!(mode & OTHERS.write) || mode & STICKY) return [];
  return [
    found(
      "directory-writable",
      `files in ${path} can be replaced by every user; run chmod o-w ${path}`,
    ),
  ];
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}
