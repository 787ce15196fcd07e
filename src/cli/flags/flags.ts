/**
 * THE table of commands and flags: parsing, exclusions, help, environment names and `commands.md`
 * all read it.
 *
 * @module
 */

/** What a flag takes. */
export type FlagKind =
  /** Text as it stands. */
  | "text"
  /** A password or PIN; may be `env:NAME`, `file:PATH`, `fd:N` or `pass:TEXT`. */
  | "secret"
  /** A whole number within `range`. */
  | "integer"
  /** One of `choices`. */
  | "choice"
  /** One or more arguments. */
  | "list"
  /** Present or not; `--name=false` turns it off. */
  | "switch";

/** One flag. */
export interface Flag {
  readonly kind: FlagKind;
  /** What its value is called in help. */
  readonly value?: string;
  readonly description: string;
  readonly default?: string | number;
  readonly range?: { readonly min: number; readonly max: number };
  readonly choices?: readonly string[];
  /** Variables read when neither the flag nor its own variable is given; taken as they stand. */
  readonly envAliases?: readonly string[];
  /** A variable that turns `envAliases` and the configuration file off. */
  readonly unlessVariable?: string;
}

/** Every flag of every command. */
export const FLAGS = {
  "certificate": {
    kind: "text",
    value: "path or URI",
    description: "end-entity certificate: a file (PEM, DER, PKCS#12) or a pkcs11:, keychain: or " +
      "cng: URI",
  },
  "private-key": {
    kind: "text",
    value: "path or URI",
    description: "private key: a file, a pkcs11: URI or a TPM handle (handle:0x81000001); " +
      "absent, the key stands where the certificate does",
  },
  "intermediates": {
    kind: "text",
    value: "path",
    description: "PEM bundle of the issuers to send with the certificate; an empty file sends none",
  },
  "cert-selector": {
    kind: "list",
    value: "selector",
    description: "certificate in the operating system's store: Key=x509Subject,Value=… " +
      "Key=x509Issuer,Value=… Key=x509Serial,Value=<hex> (also x509Thumbprint, x509San), or " +
      "file://selector.json",
  },
  "system-store-name": {
    kind: "text",
    value: "name",
    description: "Windows certificate store to search",
    default: "MY",
  },
  "system-store-location": {
    kind: "choice",
    description: "whose Windows certificate store: the user's or the machine's",
    default: "user",
    choices: ["user", "machine"],
  },
  "use-latest-expiring-certificate": {
    kind: "switch",
    description: "if several certificates match, use the one that expires last (stores and tokens)",
  },
  "role-arn": { kind: "text", value: "ARN", description: "IAM role to assume" },
  "profile-arn": { kind: "text", value: "ARN", description: "Roles Anywhere profile" },
  "trust-anchor-arn": {
    kind: "text",
    value: "ARN",
    description: "trust anchor that vouches for the certificate",
  },
  "session-duration": {
    kind: "integer",
    value: "seconds",
    description: "life of the session",
    default: 3600,
    range: { min: 900, max: 43_200 },
  },
  "role-session-name": {
    kind: "text",
    value: "name",
    description:
      "name of the session: 2 to 64 letters, digits or _+=,.@-; the profile must allow it",
  },
  "region": {
    kind: "text",
    value: "region",
    description: "signing region and endpoint; absent, the trust anchor's region",
  },
  "endpoint": {
    kind: "text",
    value: "URL",
    description: "URL of the service; absent, chosen by region",
    envAliases: ["AWS_ENDPOINT_URL_ROLESANYWHERE", "AWS_ENDPOINT_URL"],
    unlessVariable: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  },
  "use-fips-endpoint": {
    kind: "switch",
    description: "use the region's FIPS endpoint",
    envAliases: ["AWS_USE_FIPS_ENDPOINT"],
  },
  "use-dualstack-endpoint": {
    kind: "switch",
    description: "use the region's endpoint for IPv4 and IPv6",
    envAliases: ["AWS_USE_DUALSTACK_ENDPOINT"],
  },
  "ca-bundle": {
    kind: "text",
    value: "path",
    description: "PEM certificates of authorities to trust for the service's TLS certificate, " +
      "beside the system's",
    envAliases: ["AWS_CA_BUNDLE"],
  },
  "no-verify-ssl": {
    kind: "switch",
    description: "accept any TLS certificate of the service (anyone on the way can then read the " +
      "credentials)",
  },
  "with-proxy": {
    kind: "switch",
    description: "use the proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name; " +
      "--with-proxy=false ignores them",
    default: "true",
  },
  "debug": {
    kind: "switch",
    description: "tell on standard error what is tried; never a secret",
  },
  "pkcs11-lib": {
    kind: "text",
    value: "path",
    description: "PKCS#11 module to load; absent, the one that the URI names, then p11-kit's proxy",
    envAliases: ["PKCS11_MODULE_PATH"],
  },
  "reuse-pin": {
    kind: "switch",
    description: "try the PIN of the token (CKU_USER) for keys that ask for a PIN at each " +
      "signature (CKU_CONTEXT_SPECIFIC)",
  },
  "context-pin": {
    kind: "secret",
    value: "source",
    description: "PIN for keys that ask for one at each signature (CKU_CONTEXT_SPECIFIC)",
  },
  "tpm-key-password": {
    kind: "secret",
    value: "source",
    description: "password of the TPM key",
    envAliases: ["TPM_CHILD_KEY_PASSWORD"],
  },
  "tpm-parent-password": {
    kind: "secret",
    value: "source",
    description: "password of the TPM key's parent, or of the hierarchy it is loaded under",
    envAliases: ["TPM_PRIMARY_KEY_PASSWORD"],
  },
  "no-tpm-key-password": { kind: "switch", description: "the TPM key has no password" },
  "keychain-password": {
    kind: "secret",
    value: "source",
    description: "password that unlocks the custom keychain (macOS)",
    envAliases: ["CREDENTIAL_HELPER_KEYCHAIN_PASSWORD"],
  },
  "pkcs8-password": {
    kind: "secret",
    value: "source",
    description: "passphrase of an encrypted key file or PKCS#12 file",
  },
  "port": {
    kind: "integer",
    value: "number",
    description: "port to listen on; 0 takes a free one",
    default: 9911,
    range: { min: 0, max: 65_535 },
  },
  "bind": {
    kind: "text",
    value: "address",
    description: "address to listen on: IPv4, IPv6, or the path of a Unix socket",
    default: "127.0.0.1",
  },
  "hop-limit": {
    kind: "integer",
    value: "number",
    description: "IP hop limit (TTL) of every packet that is sent back",
    default: 64,
    range: { min: 1, max: 255 },
  },
  "allow-remote": {
    kind: "switch",
    description: "let other machines ask, when --bind is not a loopback address",
  },
  "allow-host": {
    kind: "list",
    value: "name",
    description:
      "host name that requests may send besides localhost, addresses and this machine's " +
      "name, such as host.docker.internal; repeatable",
  },
  "container-credentials": {
    kind: "switch",
    description: "serve the credentials at /role/<name> too, as container platforms do",
  },
  "container-token-file": {
    kind: "text",
    value: "path",
    description: "file to write the token of --container-credentials to; absent, it is printed",
  },
  "format": {
    kind: "choice",
    description: "form of the output: a JSON string, plain text, or the signature's bytes",
    default: "json",
    choices: ["json", "text", "bin"],
  },
  "digest": {
    kind: "choice",
    description: "hash function that is signed; ML-DSA keys sign the message itself",
    default: "SHA256",
    choices: ["SHA256", "SHA384", "SHA512"],
  },
  "cache": {
    kind: "switch",
    description:
      "keep the session in a file that only this user can read, and use it again while more than " +
      "16 minutes of it remain (of a session under 32 minutes: half of it)",
  },
  "cache-dir": {
    kind: "text",
    value: "path",
    description: "directory of the cache; absent, aws_signing_helper in XDG_CACHE_HOME or where " +
      "the system keeps caches",
  },
  "profile": {
    kind: "text",
    value: "name",
    description: "profile to write, of the credentials file (update) or the configuration file " +
      "(configure), or whose credential_process to check (doctor)",
    default: "default",
    envAliases: ["AWS_PROFILE"],
  },
  "once": { kind: "switch", description: "write once and end, instead of staying" },
  "write": {
    kind: "switch",
    description: "write the setting into the configuration file (AWS_CONFIG_FILE, or " +
      "~/.aws/config), instead of printing it",
  },
  "json": { kind: "switch", description: "print the report as JSON" },
  "shell": {
    kind: "choice",
    description: "shell to complete command lines in",
    choices: ["bash", "zsh", "fish", "powershell"],
  },
} as const satisfies Record<string, Flag>;

/** The name of a flag, without dashes. */
export type FlagName = keyof typeof FLAGS;

const CERTIFICATE_FLAGS = [
  "certificate",
  "cert-selector",
  "system-store-name",
  "system-store-location",
] as const satisfies FlagName[];

const KEY_FLAGS = [
  "pkcs11-lib",
  "reuse-pin",
  "context-pin",
  "tpm-key-password",
  "tpm-parent-password",
  "no-tpm-key-password",
  "keychain-password",
  "pkcs8-password",
] as const satisfies FlagName[];

/** What every command that vends credentials takes. */
const VENDING_FLAGS = [
  "certificate",
  "private-key",
  "intermediates",
  "cert-selector",
  "system-store-name",
  "system-store-location",
  "use-latest-expiring-certificate",
  "role-arn",
  "profile-arn",
  "trust-anchor-arn",
  "session-duration",
  "role-session-name",
  "region",
  "endpoint",
  "use-fips-endpoint",
  "use-dualstack-endpoint",
  "ca-bundle",
  "no-verify-ssl",
  "with-proxy",
  ...KEY_FLAGS,
  "debug",
] as const satisfies FlagName[];

/** What every vending command requires. */
const VENDING_REQUIREMENTS = {
  required: ["role-arn", "profile-arn", "trust-anchor-arn"],
  oneOf: ["certificate", "cert-selector"],
  usesNetwork: true,
} as const satisfies Partial<Command>;

/** One command. */
export interface Command {
  readonly summary: string;
  readonly flags: readonly FlagName[];
  /** Flags that must be given. */
  readonly required: readonly FlagName[];
  /** Of these, at least one must be given. */
  readonly oneOf: readonly FlagName[];
  /** The flag whose value may also stand alone, as the command's one argument. */
  readonly positional?: FlagName;
  /** It asks the service for a session. */
  readonly usesNetwork?: true;
}

/** Every command, by the word or words that are typed. */
export const COMMANDS = {
  "credential-process": {
    summary: "print temporary credentials as JSON, for credential_process in ~/.aws/config",
    flags: [...VENDING_FLAGS, "cache", "cache-dir"],
    ...VENDING_REQUIREMENTS,
  },
  "update": {
    summary: "write temporary credentials into ~/.aws/credentials, and keep them fresh",
    flags: [...VENDING_FLAGS, "profile", "once"],
    ...VENDING_REQUIREMENTS,
  },
  "serve": {
    summary: "serve temporary credentials on an endpoint that AWS SDKs discover (IMDSv2)",
    flags: [
      ...VENDING_FLAGS,
      "port",
      "bind",
      "hop-limit",
      "allow-remote",
      "allow-host",
      "container-credentials",
      "container-token-file",
    ],
    ...VENDING_REQUIREMENTS,
  },
  "sign-string": {
    summary: "sign a fixed test string, to show that the private key can be used",
    flags: [
      "certificate",
      "private-key",
      "cert-selector",
      "system-store-name",
      "system-store-location",
      "use-latest-expiring-certificate",
      "format",
      "digest",
      ...KEY_FLAGS,
      "debug",
    ],
    required: [],
    oneOf: ["private-key", "certificate", "cert-selector"],
  },
  "read-certificate-data": {
    summary: "print what a certificate says, or which certificates match",
    flags: [...CERTIFICATE_FLAGS, "pkcs11-lib", "pkcs8-password", "debug"],
    required: [],
    oneOf: ["certificate", "cert-selector"],
  },
  "selftest": {
    summary: "list what this machine's store holds, sign with one key, and verify the signature",
    flags: [
      "certificate",
      "private-key",
      "cert-selector",
      "system-store-name",
      "system-store-location",
      "use-latest-expiring-certificate",
      ...KEY_FLAGS,
      "debug",
    ],
    required: [],
    oneOf: [],
  },
  "cache clear": {
    summary: "remove the sessions that credential-process --cache has kept",
    flags: ["cache-dir"],
    required: [],
    oneOf: [],
  },
  "configure": {
    summary: "print or write the credential_process setting for ~/.aws/config, rightly quoted",
    flags: [...VENDING_FLAGS, "cache", "cache-dir", "profile", "write"],
    required: VENDING_REQUIREMENTS.required,
    oneOf: VENDING_REQUIREMENTS.oneOf,
  },
  "doctor": {
    summary: "look for what is wrong with key, certificate, ARNs, files, clock and network",
    flags: [...VENDING_FLAGS, "profile", "json"],
    required: [],
    oneOf: [],
    usesNetwork: true,
  },
  "health": {
    summary: "ask a serve on this machine whether it has credentials, for probes of containers",
    flags: ["port", "bind"],
    required: [],
    oneOf: [],
  },
  "completions": {
    summary: "print what makes a shell complete this program's command lines",
    flags: ["shell"],
    required: ["shell"],
    oneOf: [],
    positional: "shell",
  },
  "version": {
    summary: "print the version",
    flags: [],
    required: [],
    oneOf: [],
  },
} as const satisfies Record<string, Command>;

/** The name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** Other names of commands. */
export const ALIASES: Readonly<Record<string, CommandName>> = {
  "--version": "version",
  "completion": "completions",
};

/** Two flags that cannot be used together. */
export interface Exclusion {
  readonly flags: readonly [FlagName, FlagName];
  /** The commands it holds for; absent, all. */
  readonly commands?: readonly CommandName[];
  /** A flag beside which it does not hold. */
  readonly unless?: FlagName;
}

/** Every exclusion. */
export const EXCLUSIONS: readonly Exclusion[] = [
  { flags: ["endpoint", "use-fips-endpoint"] },
  { flags: ["endpoint", "use-dualstack-endpoint"] },
  { flags: ["certificate", "cert-selector"] },
  { flags: ["certificate", "system-store-name"] },
  { flags: ["certificate", "system-store-location"] },
  // The certificate may come from the store and its key from elsewhere.
  { flags: ["private-key", "system-store-name"], unless: "cert-selector" },
  { flags: ["private-key", "system-store-location"], unless: "cert-selector" },
  { flags: ["private-key", "use-latest-expiring-certificate"], unless: "cert-selector" },
  { flags: ["use-latest-expiring-certificate", "intermediates"] },
  { flags: ["use-latest-expiring-certificate", "reuse-pin"] },
  { flags: ["cert-selector", "intermediates"] },
  { flags: ["cert-selector", "reuse-pin"] },
  { flags: ["cert-selector", "tpm-key-password"] },
  { flags: ["cert-selector", "no-tpm-key-password"] },
  { flags: ["system-store-name", "reuse-pin"] },
  { flags: ["system-store-location", "reuse-pin"] },
  { flags: ["tpm-key-password", "reuse-pin"] },
  { flags: ["tpm-key-password", "no-tpm-key-password"] },
  { flags: ["tpm-key-password", "pkcs8-password"] },
  { flags: ["no-tpm-key-password", "reuse-pin"], commands: ["sign-string"] },
];

/** The variable that stands for a flag. */
export function variableOf(flag: FlagName): string {
  return `AWS_SIGNING_HELPER_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/** A flag's entry, in the general type. */
export function flagOf(name: FlagName): Flag {
  return FLAGS[name];
}

/** True when `name` is a command. */
export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** The commands whose first word is `word` and that have a second: `cache` has `cache clear`. */
export function commandsOfGroup(word: string): CommandName[] {
  return Object.keys(COMMANDS).filter(isCommandName).filter((name) => name.startsWith(`${word} `));
}

/** True when `name` is a flag of any command. */
export function isFlagName(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}

/** A command's entry, in the general type. */
export function commandOf(name: CommandName): Command {
  return COMMANDS[name];
}
