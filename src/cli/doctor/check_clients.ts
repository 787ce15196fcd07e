/**
 * Checks what keeps AWS SDKs from finding the credentials of this program: variables and profiles in
 * this environment.
 *
 * @module
 */
import { connectTcp } from "../../http/tcp_connection.ts";
import { HelperError } from "../../errors.ts";
import { chooseProxy } from "../../http/proxy.ts";
import {
  configurationHeader,
  type Profile,
  readProfile,
  STRONGER_SETTINGS,
} from "../settings/aws_profiles.ts";
import type { System } from "../system.ts";
import { type Finding, found } from "./finding.ts";
import type { Inspection } from "./check_context.ts";
import { readSourceSync } from "../../files/source_file.ts";
import { withTimeout } from "../../timeout.ts";

/** A larger file is not a token, bytes. */
const MAX_TOKEN_FILE = 1 << 20;

/** Variables that name an endpoint of `serve`. AWS_METADATA_ENDPOINT is of Rust's object_store. */
const ENDPOINT_VARIABLES = [
  "AWS_EC2_METADATA_SERVICE_ENDPOINT",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  "AWS_METADATA_ENDPOINT",
] as const;
/** The endpoint of `serve` on its default port. */
const DEFAULT_ENDPOINT = new URL("http://127.0.0.1:9911/");
/** Milliseconds; an endpoint on this machine accepts at once. */
const CONNECT_TIMEOUT = 2_000;

/** An endpoint that a variable names. */
interface NamedEndpoint {
  readonly variable: string;
  readonly url: URL;
}

/** Returns nothing for an environment in which SDKs find the credentials. */
export async function checkClients({ system }: Pick<Inspection, "system">): Promise<Finding[]> {
  const findings: Finding[] = [];
  const endpoints: NamedEndpoint[] = [];
  for (const variable of ENDPOINT_VARIABLES) {
    const text = system.environment(variable);
    if (!text) continue;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol === "http:" || url?.protocol === "https:") endpoints.push({ variable, url });
    else findings.push(found("endpoint-variable", `${variable} is not an http URL; correct it`));
    if (variable === "AWS_EC2_METADATA_SERVICE_ENDPOINT" && !text.endsWith("/")) {
      findings.push(
        found("endpoint-slash", `${variable} has no / at its end, which AWS CLI 2.9 needs; add it`),
      );
    }
  }
  findings.push(...await Promise.all(endpoints.map(checkConnection)));
  return [
    ...findings,
    ...checkTokenFile(system),
    ...checkProxy(endpoints, system),
    ...checkDisabled(system),
    ...checkOtherProviders(endpoints, system),
  ];
}

async function checkConnection({ variable, url }: NamedEndpoint): Promise<Finding> {
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  try {
    const connection = await connect(url.hostname.replace(/^\[|\]$/g, ""), port);
    connection.close();
    return found("endpoint", `${variable}: ${url.host} accepts connections`);
  } catch {
    return found(
      "endpoint-unreachable",
      `${variable}: nothing accepts connections on ${url.host}; start serve there, or unset it`,
    );
  }
}

/** Connects, or throws after {@link CONNECT_TIMEOUT}. */
async function connect(hostname: string, port: number): Promise<Deno.Conn> {
  // As SDKs do: localhost may be ::1 first, where serve does not listen.
  const connecting = connectTcp(hostname, port);
  return await withTimeout(connecting, CONNECT_TIMEOUT, () => {
    connecting.then((connection) => connection.close(), () => {});
    throw new Error("timeout");
  });
}

function checkTokenFile(system: System): Finding[] {
  const variable = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
  const path = system.environment(variable);
  if (!path) return [];
  try {
    readSourceSync(path, { maxBytes: MAX_TOKEN_FILE, pipes: false });
    return [];
  } catch {
    // reported below
  }
  return [
    found("container-token", `${variable}: no such file can be read; set it as serve prints it`),
  ];
}

function checkProxy(endpoints: readonly NamedEndpoint[], system: System): Finding[] {
  const urls = endpoints.length > 0 ? endpoints.map(({ url }) => url) : [DEFAULT_ENDPOINT];
  for (const url of urls.filter(({ protocol }) => protocol === "http:")) {
    try {
      const { proxy } = chooseProxy(url, (name) => system.environment(name));
      if (!proxy) continue;
      return [
        found(
          "metadata-proxied",
          `${proxy.variable} is set and NO_PROXY does not list ${url.hostname}, so that SDKs ask ` +
            `the proxy instead of serve; add ${url.hostname} to NO_PROXY`,
        ),
      ];
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown; // else another check reports the variable
    }
  }
  return [];
}

function checkDisabled(system: System): Finding[] {
  const variable = "AWS_EC2_METADATA_DISABLED";
  if (system.environment(variable)?.toLowerCase() !== "true") return [];
  return [
    found("metadata-disabled", `${variable} is true: SDKs do not ask serve; unset it for serve`),
  ];
}

/** Finds sources of credentials that SDKs use before those of this program. */
function checkOtherProviders(endpoints: readonly NamedEndpoint[], system: System): Finding[] {
  const isSet = (name: string) => !!system.environment(name);
  const findings: Finding[] = [];
  if (isSet("AWS_WEB_IDENTITY_TOKEN_FILE") && isSet("AWS_ROLE_ARN")) {
    findings.push(
      found(
        "other-provider",
        "AWS_WEB_IDENTITY_TOKEN_FILE is set, and SDKs use it before credential_process and serve; " +
          "unset it",
      ),
    );
  }
  const metadata = endpoints.find(({ variable }) => variable !== ENDPOINT_VARIABLES[1]);
  const container = endpoints.find(({ variable }) => variable === ENDPOINT_VARIABLES[1]);
  if (isSet("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") && endpoints.length > 0) {
    findings.push(
      found(
        "other-provider",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set, and SDKs use it before serve; unset it",
      ),
    );
  } else if (metadata && container && metadata.url.host !== container.url.host) {
    findings.push(
      found(
        "other-provider",
        `${container.variable} is set, and SDKs use it before ${metadata.variable}; ` +
          "unset the one that is not serve's",
      ),
    );
  }
  if (endpoints.length === 0 && !isSet("AWS_PROFILE")) return findings;
  return [...findings, ...checkProfile(endpoints, system)];
}

function checkProfile(endpoints: readonly NamedEndpoint[], system: System): Finding[] {
  const name = system.environment("AWS_PROFILE") || "default";
  let profile: Profile;
  try {
    profile = readProfile(name, system);
  } catch {
    return []; // no home directory: SDKs read no file
  }
  const { configuration, configurationPath, credentials, credentialsPath } = profile;
  if (!configuration && !credentials) {
    return system.environment("AWS_PROFILE")
      ? [
        found(
          "profile-unknown",
          `AWS_PROFILE is ${name}, which is not in ${configurationPath} or ${credentialsPath}; ` +
            "SDKs stop with an error",
        ),
      ]
      : [];
  }
  if (endpoints.length === 0) return [];
  const before = (place: string, what: string) =>
    found(
      "other-provider",
      `${place} ${what}, which SDKs use before serve; choose another profile`,
    );
  const settings = [...STRONGER_SETTINGS, "credential_process"]
    // A role may be assumed with the credentials of serve.
    .filter((key) => configuration?.has(key) && !configuration.has("credential_source"));
  return [
    ...(credentials?.has("aws_access_key_id")
      ? [before(`[${name}] in ${credentialsPath}`, "holds keys")]
      : []),
    ...settings.map((key) =>
      before(`[${configurationHeader(name)}] in ${configurationPath}`, `sets ${key}`)
    ),
  ];
}
