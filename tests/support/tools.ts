import { fileURLToPath } from "node:url";

const CLIENTS = new URL("../../build/clients/", import.meta.url);

/** Python with boto3 and cryptography, as `make tools` installs it. */
export const PYTHON = fileURLToPath(new URL("python/bin/python", CLIENTS));

/** The folder whose node_modules hold the AWS SDK for JavaScript. */
export const JAVASCRIPT_CLIENT = fileURLToPath(new URL("javascript/", CLIENTS));

/** The folder of reference data beside the project; absent in a checkout on its own. */
export const SHARED_DATA = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

/** Whether the reference data is there. */
export function hasSharedData(): boolean {
  try {
    return Deno.statSync(SHARED_DATA).isDirectory;
  } catch {
    return false;
  }
}
