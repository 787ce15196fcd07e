/**
 * Files with a key as other programs write them, and the judgement of what the binary makes of them.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runBinary, runProgram } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testMessage } from "../support/test_message.ts";

/** The password of every container that has one. */
export const PASSWORD = "correct horse";

/** A key and its certificate, which each tool puts into its own containers. */
export interface Subject {
  readonly name: string;
  readonly keyPath: string;
  readonly certificatePath: string;
  readonly publicKeyPath: string;
}

/** One row of the table. */
export interface Container {
  /** Unique; part of the file's name. */
  readonly name: string;
  readonly path: string;
  readonly publicKeyPath: string;
  /** Default: none. */
  readonly password?: string;
  /** Expected message; absent: the key signs. */
  readonly refused?: RegExp;
  /** Lines that the conversion in the message asks for. Absent: there is no conversion. */
  readonly conversion?: readonly string[];
}

/** Makes a key and a certificate of each kind that every tool knows. */
export async function makeSubjects(
  directory: TemporaryDirectory,
  keyTypes: readonly ("rsa-2048" | "ec-p256" | "ec-p384" | "ec-p521")[] = ["rsa-2048", "ec-p256"],
): Promise<Subject[]> {
  return await Promise.all(keyTypes.map(async (keyType) => {
    const { keyPath, certificatePath } = await createAuthority(directory, {
      subject: `/CN=${keyType}`,
      keyType,
      ca: false,
    });
    const publicKeyPath = directory.join(`${keyType}.public.pem`);
    await openssl(["pkey", "-in", keyPath, "-pubout", "-out", publicKeyPath]);
    return { name: keyType, keyPath, certificatePath, publicKeyPath };
  }));
}

/** Does `work` for each item, as many at a time as there are processors. Keeps the order. */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const lane = async () => {
    for (const [i, item] of queue) results[i] = await work(item, i);
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, lane));
  return results;
}

/** Judges all containers; each is a step of its own. */
export async function judge(
  context: Deno.TestContext,
  directory: TemporaryDirectory,
  containers: readonly Container[],
): Promise<void> {
  const names = containers.map(({ name }) => name);
  assertEquals(names.length, new Set(names).size, "two containers have one name");
  const failures = await inParallel(containers, async (container, i) => {
    try {
      await judgeOne(directory.join(`judged-${i}`), container);
      return undefined;
    } catch (thrown) {
      return thrown;
    }
  });
  for (const [i, { name }] of containers.entries()) {
    await context.step(name, () => {
      if (failures[i] !== undefined) throw failures[i];
    });
  }
}

async function judgeOne(scratch: string, container: Container): Promise<void> {
  const { refused, conversion } = container;
  if (!refused) return await assertSigns(scratch, container);
  const { code, stdout, stderr } = await sign(container);
  assertEquals({ code, stdout }, { code: 3, stdout: "" });
  assertMatch(stderr, refused);
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
  const command = / with: (.+)$/m.exec(stderr)?.[1]?.replace("COPY", container.path);
  assertEquals(command !== undefined, conversion !== undefined, stderr);
  if (!command || !conversion) return;
  // The command that the message names, as a person would run it.
  const converted = `${scratch}.converted`;
  const script = command.replaceAll(/\bFILE\b/g, container.path)
    .replaceAll(/\bNEW\b/g, converted);
  const run = await runProgram("setsid", ["--wait", "sh", "-c", script], {
    stdin: conversion.map((line) => `${line}\n`).join(""),
  });
  assertEquals(run.code, 0, `${script}: ${run.stdout}${run.stderr}`);
  const suffix = /.*\bNEW(\.\w+)/.exec(command)?.[1] ?? "";
  await assertSigns(scratch, {
    ...container,
    path: command.includes("NEW") ? `${converted}${suffix}` : container.path,
    ...(container.password === undefined ? {} : { password: PASSWORD }),
  });
}

async function assertSigns(scratch: string, container: Container): Promise<void> {
  const { code, stdoutBytes, stderr } = await sign(container);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assert(stdoutBytes.length > 0);
  const publicKey = await Deno.readTextFile(container.publicKeyPath);
  await Deno.writeFile(`${scratch}.message`, testMessage(publicKey));
  await Deno.writeFile(`${scratch}.signature`, stdoutBytes);
  // deno-fmt-ignore
  const verdict = await openssl([
    "dgst", "-sha256", "-verify", container.publicKeyPath, "-signature", `${scratch}.signature`,
    `${scratch}.message`,
  ]);
  assertEquals(new TextDecoder().decode(verdict), "Verified OK\n");
}

async function sign({ path, password }: Container) {
  const flags = password === undefined ? [] : ["--pkcs8-password", "env:WORD"];
  return await runBinary(
    ["sign-string", "--private-key", path, "--format=bin", ...flags],
    { env: password === undefined ? {} : { WORD: password } },
  );
}
