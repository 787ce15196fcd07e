import { fileURLToPath } from "node:url";

const CLIENTS = new URL("../../build/clients/", import.meta.url);

/** Python with boto3 and cryptography, as `make tools` installs it. */
export const PYTHON = fileURLToPath(new URL("python/bin/python", CLIENTS));

/** Python with libraries whose AWS clients are other than boto3's. */
export const CLIENT_LIBRARIES = fileURLToPath(new URL("libraries/bin/python", CLIENTS));

/** The folder whose node_modules hold the AWS SDK for JavaScript. */
export const JAVASCRIPT_CLIENT = fileURLToPath(new URL("javascript/", CLIENTS));

/** The AWS CLI, in the same place. */
export const AWS_CLI = fileURLToPath(new URL("python/bin/aws", CLIENTS));

/** A client whose toolchain is not everybody's, as `make tools` builds it where it can. */
export interface CompiledClient {
  /** The folder with the program. */
  readonly folder: string;
  /** Why it was not built; undefined when it was. */
  readonly whyNot: string | undefined;
}

/** The client of a folder below tests/clients that is built, or a tool that is built the same way. */
export function compiledClient(
  name:
    | "go"
    | "go_base"
    | "go_containers"
    | "go_v1"
    | "java"
    | "java_containers"
    | "kustomize"
    | "rust",
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
