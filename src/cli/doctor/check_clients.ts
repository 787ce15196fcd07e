/**
 * Checks for variables and profiles that keep AWS SDKs from finding this program's credentials.
 *
 * @module
 */
import { connectTcp } from "../../http/tcp_connection.ts";
import { HelperError } from "../../errors.ts";
import { chooseProxy } from "../../http/proxy.ts";
import { bareHost, portOf } from "../../http/url_parts.ts";
import {
  configurationHeader,
  OVERRIDING_SETTINGS,
  type Profile,
  readProfile,
} from "../settings/aws_profiles.ts";
import type { System } from "../system.ts";
import { type Finding, finding } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";
import { readSource } from "../../files/source_file.ts";
import { withTimeout } from "../../timeout.ts";

/** Maximum size of a token file, bytes. */
const MAX_TOKEN_FILE = 1 << 20;

/** Variables that name an endpoint of `serve`. Rust's object_store reads AWS_METADATA_ENDPOINT. */
const ENDPOINT_VARIABLES = [
  "AWS_EC2_METADATA_SERVICE_ENDPOINT",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  "AWS_METADATA_ENDPOINT",
] as const;
/** The endpoint of `serve` on its default port. */
const DEFAULT_ENDPOINT = new URL("http://127.0.0.1:9911/");
/** Timeout of a connection, milliseconds: a local endpoint accepts at once. */
const CONNECT_TIMEOUT = 2_000;

/** Endpoint of a variable. */
interface NamedEndpoint {
  readonly variable: string;
  readonly url: URL;
}

/** Returns no findings if SDKs find the credentials in this environment. */
export async function checkClients({ system }: Pick<CheckContext, "system">): Promise<Finding[]> {
  const findings: Finding[] = [];
  const endpoints: NamedEndpoint[] = [];
  for (const variable of ENDPOINT_VARIABLES) {
    const text = system.environment(variable);
    if (!text) continue;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol === "http:" || url?.protocol === "https:") endpoints.push({ variable, url });
    else findings.push(finding("endpoint-variable", `${variable} is not an http URL; correct it`));
    if (variable === "AWS_EC2_METADATA_SERVICE_ENDPOINT" && !text.endsWith("/")) {
      findings.push(
        finding(
          "endpoint-slash",
          `${variable} has no / at its end, which AWS CLI 2.9 needs; add it`,
        ),
      );
    }
  }
  findings.push(...await Promise.all(endpoints.map(checkConnection)));
  return [
    ...findings,
    ...await checkTokenFile(system),
    ...checkProxy(endpoints, system),
    ...checkDisabled(system),
    ...await checkOtherProviders(endpoints, system),
  ];
}

async function checkConnection({ variable, url }: NamedEndpoint): Promise<Finding> {
  try {
    const connection = await connect(bareHost(url.hostname), portOf(url));
    connection.close();
    return finding("endpoint", `${variable}: ${url.host} accepts connections`);
  } catch {
    return finding(
      "endpoint-unreachable",
      `${variable}: nothing accepts connections on ${url.host}; start serve there, or unset it`,
    );
  }
}

/** Connects, or throws after {@link CONNECT_TIMEOUT}. */
async function connect(hostname: string, port: number): Promise<Deno.Conn> {
  // Like SDKs, which may try ::1 first for localhost, where serve does not listen.
  const connecting = connectTcp(hostname, port);
  return await withTimeout(connecting, CONNECT_TIMEOUT, () => {
    connecting.then((connection) => connection.close(), () => {});
    throw new Error("timeout");
  });
}

async function checkTokenFile(system: System): Promise<Finding[]> {
  const variable = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
  const path = system.environment(variable);
  if (!path) return [];
  try {
    await readSource(path, { maxBytes: MAX_TOKEN_FILE, pipes: false });
    return [];
  } catch {
    // reported below
  }
  return [
    finding("container-token", `${variable}: the file cannot be read; set it as serve prints it`),
  ];
}

function checkProxy(endpoints: readonly NamedEndpoint[], system: System): Finding[] {
  const urls = endpoints.length > 0 ? endpoints.map(({ url }) => url) : [DEFAULT_ENDPOINT];
  for (const url of urls.filter(({ protocol }) => protocol === "http:")) {
    try {
      const { proxy } = chooseProxy(url, (name) => system.environment(name));
      if (!proxy) continue;
      return [
        finding(
          "metadata-proxied",
          `${proxy.variable} is set, so SDKs ask the proxy instead of serve; add ${url.hostname} ` +
            "to NO_PROXY",
        ),
      ];
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown; // checkEnvironment reports the variable
    }
  }
  return [];
}

function checkDisabled(system: System): Finding[] {
  const variable = "AWS_EC2_METADATA_DISABLED";
  if (system.environment(variable)?.toLowerCase() !== "true") return [];
  return [
    finding("metadata-disabled", `${variable} is true, so SDKs do not ask serve; unset it`),
  ];
}

/** Finds sources of credentials that SDKs use before those of this program. */
async function checkOtherProviders(
  endpoints: readonly NamedEndpoint[],
  system: System,
): Promise<Finding[]> {
  const isSet = (name: string) => !!system.environment(name);
  const findings: Finding[] = [];
  if (isSet("AWS_WEB_IDENTITY_TOKEN_FILE") && isSet("AWS_ROLE_ARN")) {
    findings.push(
      finding(
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
      finding(
        "other-provider",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set, and SDKs use it before serve; unset it",
      ),
    );
  } else if (metadata && container && metadata.url.host !== container.url.host) {
    findings.push(
      finding(
        "other-provider",
        `${container.variable} is set, and SDKs use it before ${metadata.variable}; ` +
          "unset the one that is not serve's",
      ),
    );
  }
  if (endpoints.length === 0 && !isSet("AWS_PROFILE")) return findings;
  return [...findings, ...await checkProfile(endpoints, system)];
}

async function checkProfile(
  endpoints: readonly NamedEndpoint[],
  system: System,
): Promise<Finding[]> {
  const name = system.environment("AWS_PROFILE") || "default";
  let profile: Profile;
  try {
    profile = await readProfile(name, system);
  } catch {
    return []; // no home directory: SDKs read no file
  }
  const { configuration, configurationPath, credentials, credentialsPath } = profile;
  if (!configuration && !credentials) {
    return system.environment("AWS_PROFILE")
      ? [
        finding(
          "profile-unknown",
          `AWS_PROFILE is ${name}, which is not in ${configurationPath} or ${credentialsPath}; ` +
            "SDKs stop with an error",
        ),
      ]
      : [];
  }
  if (endpoints.length === 0) return [];
  const overriding = (place: string, problem: string) =>
    finding(
      "other-provider",
      `${place} ${problem}, which SDKs use before serve; choose another profile`,
    );
  const settings = [...OVERRIDING_SETTINGS, "credential_process"]
    // With credential_source, a role is assumed with the credentials of serve.
    .filter((key) => configuration?.has(key) && !configuration.has("credential_source"));
  return [
    ...(credentials?.has("aws_access_key_id")
      ? [overriding(`[${name}] in ${credentialsPath}`, "has keys")]
      : []),
    ...settings.map((key) =>
      overriding(`[${configurationHeader(name)}] in ${configurationPath}`, `sets ${key}`)
    ),
  ];
}
