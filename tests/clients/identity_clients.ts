import { fileURLToPath } from "node:url";

import { AWS_CLI, compiledClient, JAVASCRIPT_CLIENT, PYTHON } from "../support/tools.ts";

/** A program of an AWS SDK that asks STS who the caller is, by the SDK's default chains. */
export interface IdentityClient {
  readonly name: string;
  /** Program and arguments; it prints account, ARN and user id, with tabs between. */
  readonly command: readonly [program: string, ...args: string[]];
  /** Whether it asks the endpoint for the region when it is told none. */
  readonly asksForRegion: boolean;
  /** Why it cannot run on this machine; undefined when it can. */
  readonly whyNot?: string | undefined;
}

const go = compiledClient("go");
const java = compiledClient("java");
const rust = compiledClient("rust");

/** The clients; README's "Tested with" names their versions. */
export const IDENTITY_CLIENTS: readonly IdentityClient[] = [
  {
    name: "boto3",
    command: [PYTHON, fileURLToPath(new URL("python/caller_identity.py", import.meta.url))],
    asksForRegion: false,
  },
  {
    name: "the AWS CLI",
    command: [AWS_CLI, "sts", "get-caller-identity", "--output", "text"],
    asksForRegion: false,
  },
  {
    name: "the AWS SDK for JavaScript",
    command: ["node", nodeScript("caller_identity.mjs")],
    asksForRegion: false,
  },
  {
    name: "the AWS SDK for Go",
    command: [`${go.folder}caller_identity`],
    asksForRegion: true,
    whyNot: go.whyNot,
  },
  {
    name: "the AWS SDK for Java",
    command: ["java", "-XX:TieredStopAtLevel=1", "-cp", `${java.folder}lib:${java.folder}lib/*`]
      .concat("CallerIdentity") as ["java", ...string[]],
    asksForRegion: true,
    whyNot: java.whyNot,
  },
  {
    name: "the AWS SDK for Rust",
    command: [`${rust.folder}caller_identity`],
    asksForRegion: true,
    whyNot: rust.whyNot,
  },
];

/** Puts a script where Node finds its packages, which is beside them; gives its path there. */
function nodeScript(name: string): string {
  const script = `${JAVASCRIPT_CLIENT}${name}`;
  Deno.copyFileSync(new URL(`javascript/${name}`, import.meta.url), script);
  return script;
}
