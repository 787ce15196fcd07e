import { fileURLToPath } from "node:url";

import type { Need } from "../support/needs.ts";
import { AWS_COMMAND, compiledClient, JAVASCRIPT_CLIENT, PYTHON } from "../support/tools.ts";

/** A program of an AWS SDK that asks STS for the caller's identity, by the SDK's default chains. */
export interface IdentityClient {
  readonly name: string;
  /** Program and arguments; it prints account, ARN and user id, with tabs between. */
  readonly command: readonly [program: string, ...args: string[]];
  /** Source of the region, and its use. */
  readonly region: {
    readonly path: string;
    /**
     * `signing`: it signs for the region that it reads there. `defaults`: it needs a configured region,
     * and compares the two to find its defaults mode.
     */
    readonly use: "signing" | "defaults";
  };
  /** Needs of the machine besides Python and Node. */
  readonly need?: Need;
}

const ZONE = "/latest/meta-data/placement/availability-zone";
const REGION = "/latest/meta-data/placement/region";
const IDENTITY_DOCUMENT = "/latest/dynamic/instance-identity/document";

const go = compiledClient("go");
const java = compiledClient("java");
const rust = compiledClient("rust");

/** The clients; tests/README.md names their versions. */
export const IDENTITY_CLIENTS: readonly IdentityClient[] = [
  {
    name: "boto3",
    command: [PYTHON, fileURLToPath(new URL("python/caller_identity.py", import.meta.url))],
    region: { path: ZONE, use: "defaults" },
  },
  {
    name: "the AWS CLI",
    command: [...AWS_COMMAND, "sts", "get-caller-identity", "--output", "text"],
    region: { path: ZONE, use: "defaults" },
  },
  {
    name: "the AWS SDK for JavaScript",
    command: ["node", nodeScript("caller_identity.mjs")],
    region: { path: REGION, use: "defaults" },
  },
  {
    name: "the AWS SDK for Go",
    command: [`${go.folder}caller_identity`],
    region: { path: IDENTITY_DOCUMENT, use: "signing" },
    need: "go-client",
  },
  {
    name: "the AWS SDK for Java",
    // One tier of compilation: the program is over before the second pays.
    command: [
      "java",
      "-XX:TieredStopAtLevel=1",
      "-cp",
      `${java.folder}lib:${java.folder}lib/*`,
      "CallerIdentity",
    ],
    region: { path: IDENTITY_DOCUMENT, use: "signing" },
    need: "java-client",
  },
  {
    name: "the AWS SDK for Rust",
    command: [`${rust.folder}caller_identity`],
    region: { path: REGION, use: "signing" },
    need: "rust-client",
  },
];

/** Puts a script next to its packages, where Node finds them; returns its path there. */
function nodeScript(name: string): string {
  const script = `${JAVASCRIPT_CLIENT}${name}`;
  Deno.copyFileSync(new URL(`javascript/${name}`, import.meta.url), script);
  return script;
}
