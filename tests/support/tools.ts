import { fileURLToPath } from "node:url";

const CLIENTS = new URL("../../build/clients/", import.meta.url);

/** Python with boto3 and cryptography, installed by `make tools`. */
export const PYTHON = fileURLToPath(new URL("python/bin/python", CLIENTS));

/** Python with libraries that have other AWS clients than boto3. */
export const CLIENT_LIBRARIES = fileURLToPath(new URL("libraries/bin/python", CLIENTS));

/** Python with moto's server. */
export const MOTO = fileURLToPath(new URL("moto/bin/python", CLIENTS));

/** The folder with the AWS SDK for JavaScript in node_modules. */
export const JAVASCRIPT_CLIENT = fileURLToPath(new URL("javascript/", CLIENTS));

/** The AWS CLI, in the same place. The first line of its program does not work in a path with blanks. */
export const AWS_COMMAND = [PYTHON, fileURLToPath(new URL("python/bin/aws", CLIENTS))] as const;

/** Writes the command `aws` into a folder. */
export function writeAwsCommand(folder: string): void {
  const quoted = AWS_COMMAND.map((path) => `'${path.replaceAll("'", "'\\''")}'`);
  Deno.writeTextFileSync(`${folder}/aws`, `#!/bin/sh\nexec ${quoted.join(" ")} "$@"\n`, {
    mode: 0o755,
  });
}

/** A client with an uncommon toolchain, built by `make tools` if possible. */
export interface CompiledClient {
  /** The folder with the program. */
  readonly folder: string;
  /** Reason why it was not built, or undefined. */
  readonly whyNot: string | undefined;
}

/** Returns the client of a folder below tests/clients, or a tool that is built the same way. */
export function compiledClient(
  name:
    | "actionlint"
    | "go"
    | "go_base"
    | "go_containers"
    | "go_v1"
    | "java"
    | "java_containers"
    | "kustomize"
    | "prometheus"
    | "rust"
    | "spire",
): CompiledClient {
  const folder = fileURLToPath(new URL(`${name}/`, CLIENTS));
  try {
    return { folder, whyNot: Deno.readTextFileSync(`${folder}why-not`).trim() };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const isBuilt = exists(`${folder}made-from`);
    return { folder, whyNot: isBuilt ? undefined : "it is not built; make test builds it" };
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
