/**
 * The table of commands and flags, from which parsing, exclusions, help, environment names and
 * `commands.md` are made.
 *
 * @module
 */

/** Kind of a flag's value. */
export type FlagKind =
  /** Text, used unchanged. */
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

/** Group of flags in help. "command" has the flags of few commands, which help lists first. */
export type GroupName =
  | "command"
  | "key"
  | "session"
  | "network"
  | "store"
  | "token"
  | "tpm"
  | "general";

/** Name of a flag's value in help. `configure` makes a PATH absolute. */
export type ValueName =
  | "PATH"
  | "PATH|URI"
  | "ADDRESS"
  | "ARN"
  | "ID"
  | "NAME"
  | "NUMBER"
  | "REGION"
  | "SECONDS"
  | "SELECTOR"
  | "SOURCE"
  | "URL";

/** One flag. */
export interface Flag {
  readonly kind: FlagKind;
  readonly group: GroupName;
  readonly value?: ValueName;
  /** Short enough for one line of help. */
  readonly description: string;
  readonly default?: string | number;
  readonly range?: { readonly min: number; readonly max: number; readonly reason?: string };
  readonly choices?: readonly string[];
  /** Variables read if neither the flag nor its own variable is given; their text is the value. */
  readonly envAliases?: readonly string[];
  /** An empty value is an error: without the flag, more would be allowed. */
  readonly refusesEmpty?: true;
  /** A variable that turns `envAliases` and the configuration file off. */
  readonly unlessVariable?: string;
}

/** Every flag of every command. */
export const FLAGS = {
  "certificate": {
    kind: "text",
    group: "key",
    value: "PATH|URI",
    description: "file, env:NAME, fd:N, - (stdin), or a URI",
  },
  "private-key": {
    kind: "text",
    group: "key",
    value: "PATH|URI",
    description: "like --certificate (default: the same source)",
  },
  "intermediates": {
    kind: "text",
    group: "key",
    value: "PATH|URI",
    description: "issuers to send: file, env:NAME, fd:N or -",
  },
  "cert-selector": {
    kind: "list",
    group: "store",
    value: "SELECTOR",
    description: "certificate in a store: Key=NAME,Value=VALUE",
  },
  "system-store-name": {
    kind: "text",
    group: "store",
    value: "NAME",
    description: "Windows store to search",
    default: "MY",
  },
  "system-store-location": {
    kind: "choice",
    group: "store",
    description: "owner of the store",
    default: "user",
    choices: ["user", "machine"],
  },
  "use-latest-expiring-certificate": {
    kind: "switch",
    group: "store",
    description: "if several match, use the last to expire",
  },
  "role-arn": {
    kind: "text",
    group: "session",
    value: "ARN",
    description: "IAM role to assume",
  },
  "profile-arn": {
    kind: "text",
    group: "session",
    value: "ARN",
    description: "Roles Anywhere profile",
  },
  "trust-anchor-arn": {
    kind: "text",
    group: "session",
    value: "ARN",
    description: "trust anchor of the certificate's issuer",
  },
  "session-duration": {
    kind: "integer",
    group: "session",
    value: "SECONDS",
    description: "session lifetime",
    default: 3600,
    range: { min: 900, max: 43_200 },
  },
  "role-session-name": {
    kind: "text",
    group: "session",
    value: "NAME",
    description: "session name; the profile must allow it",
  },
  "assume-role-arn": {
    kind: "list",
    group: "session",
    value: "ARN",
    description: "role to assume with the session; repeatable",
  },
  "assume-role-session-name": {
    kind: "text",
    group: "session",
    value: "NAME",
    description: "its session name (default: serial number)",
  },
  "assume-role-external-id": {
    kind: "text",
    group: "session",
    value: "ID",
    description: "external ID that its trust policy requires",
  },
  "assume-role-duration": {
    kind: "integer",
    group: "session",
    value: "SECONDS",
    description: "its lifetime",
    default: 3600,
    range: { min: 900, max: 3600, reason: "AWS limits role chaining to one hour" },
  },
  "region": {
    kind: "text",
    group: "network",
    value: "REGION",
    description: "signing region (default: the trust anchor's)",
  },
  "endpoint": {
    kind: "text",
    group: "network",
    value: "URL",
    description: "service URL (default: the region's)",
    envAliases: ["AWS_ENDPOINT_URL_ROLESANYWHERE", "AWS_ENDPOINT_URL"],
    unlessVariable: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  },
  "sts-endpoint": {
    kind: "text",
    group: "network",
    value: "URL",
    description: "URL of STS, for --assume-role-arn",
    envAliases: ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"],
    unlessVariable: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  },
  "use-fips-endpoint": {
    kind: "switch",
    group: "network",
    description: "use the region's FIPS endpoint",
    envAliases: ["AWS_USE_FIPS_ENDPOINT"],
  },
  "use-dualstack-endpoint": {
    kind: "switch",
    group: "network",
    description: "use the region's IPv4 and IPv6 endpoint",
    envAliases: ["AWS_USE_DUALSTACK_ENDPOINT"],
  },
  "ca-bundle": {
    kind: "text",
    group: "network",
    value: "PATH",
    description: "PEM file of additional TLS authorities",
    envAliases: ["AWS_CA_BUNDLE"],
  },
  "no-verify-ssl": {
    kind: "switch",
    group: "network",
    description: "accept any TLS certificate (insecure)",
  },
  "with-proxy": {
    kind: "switch",
    group: "network",
    description: "use HTTPS_PROXY and NO_PROXY",
    default: "true",
  },
  "debug": {
    kind: "switch",
    group: "general",
    description: "print debug output to stderr; never secrets",
  },
  "pkcs11-lib": {
    kind: "text",
    group: "token",
    value: "PATH",
    description: "module (default: the URI's, or the usual ones)",
    envAliases: ["PKCS11_MODULE_PATH"],
  },
  "reuse-pin": {
    kind: "switch",
    group: "token",
    description: "use the token's PIN for each signature too",
  },
  "context-pin": {
    kind: "secret",
    group: "token",
    value: "SOURCE",
    description: "PIN that the key needs for each signature",
  },
  "tpm-key-password": {
    kind: "secret",
    group: "tpm",
    value: "SOURCE",
    description: "password of the TPM key",
    envAliases: ["TPM_CHILD_KEY_PASSWORD"],
  },
  "tpm-parent-password": {
    kind: "secret",
    group: "tpm",
    value: "SOURCE",
    description: "password of the key's parent or hierarchy",
    envAliases: ["TPM_PRIMARY_KEY_PASSWORD"],
  },
  "no-tpm-key-password": {
    kind: "switch",
    group: "tpm",
    description: "the TPM key has no password",
  },
  "keychain-password": {
    kind: "secret",
    group: "store",
    value: "SOURCE",
    description: "password of a custom keychain (macOS)",
    envAliases: ["CREDENTIAL_HELPER_KEYCHAIN_PASSWORD"],
  },
  "pkcs8-password": {
    kind: "secret",
    group: "key",
    value: "SOURCE",
    description: "passphrase of the key file or PKCS#12 file",
  },
  "port": {
    kind: "integer",
    group: "command",
    value: "NUMBER",
    description: "port to listen on",
    default: 9911,
    range: { min: 0, max: 65_535 },
  },
  "bind": {
    kind: "text",
    group: "command",
    value: "ADDRESS",
    description: "IP, localhost or path with /",
    default: "127.0.0.1",
  },
  "hop-limit": {
    kind: "integer",
    group: "command",
    value: "NUMBER",
    description: "IP TTL of responses",
    default: 64,
    range: { min: 1, max: 255 },
  },
  "allow-remote": {
    kind: "switch",
    group: "command",
    description: "accept other machines if --bind is not loopback",
  },
  "allow-host": {
    kind: "list",
    group: "command",
    value: "NAME",
    description: "additional Host header to accept; repeatable",
  },
  "allow-user": {
    kind: "list",
    group: "command",
    value: "NAME",
    description: "let only this user ask (Linux); repeatable",
    refusesEmpty: true,
  },
  "roles": {
    kind: "text",
    group: "command",
    value: "PATH",
    description: "JSON file of roles, in place of --role-arn",
    refusesEmpty: true,
  },
  "metrics": {
    kind: "switch",
    group: "command",
    description: "also serve /metrics for Prometheus; no secrets",
  },
  "container-credentials": {
    kind: "switch",
    group: "command",
    description: "also serve /role/NAME for container providers",
  },
  "container-token-file": {
    kind: "text",
    group: "command",
    value: "PATH",
    description: "file for the container token (default: print it)",
  },
  "format": {
    kind: "choice",
    group: "command",
    description: "output format",
    default: "json",
    choices: ["json", "text", "bin"],
  },
  "digest": {
    kind: "choice",
    group: "command",
    description: "hash function; not for ML-DSA",
    default: "SHA256",
    choices: ["SHA256", "SHA384", "SHA512"],
  },
  "cache": {
    kind: "switch",
    group: "command",
    description: "keep the session in a private file and reuse it",
  },
  "cache-dir": {
    kind: "text",
    group: "command",
    value: "PATH",
    description: "cache directory (default: the user's)",
  },
  "profile": {
    kind: "text",
    group: "command",
    value: "NAME",
    description: "profile to write; AWS_PROFILE replaces the default",
    default: "default",
    envAliases: ["AWS_PROFILE"],
  },
  "once": {
    kind: "switch",
    group: "command",
    description: "write once and exit",
  },
  "write": {
    kind: "switch",
    group: "command",
    description: "write the setting to ~/.aws/config",
  },
  "json": {
    kind: "switch",
    group: "command",
    description: "print the report as JSON",
  },
  "shell": {
    kind: "choice",
    group: "command",
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

/** Flags of every command that vends credentials. */
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
  "assume-role-arn",
  "assume-role-session-name",
  "assume-role-external-id",
  "assume-role-duration",
  "region",
  "endpoint",
  "sts-endpoint",
  "use-fips-endpoint",
  "use-dualstack-endpoint",
  "ca-bundle",
  "no-verify-ssl",
  "with-proxy",
  ...KEY_FLAGS,
  "debug",
] as const satisfies FlagName[];

/** Requirements of every command that vends credentials. */
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
  /** Flag whose file can have the values of the required flags, which are then optional. */
  readonly suppliedBy?: FlagName;
  /** Flags of which at least one must be given. */
  readonly oneOf: readonly FlagName[];
  /** The flag whose value may also be given as the command's only argument, as help shows it. */
  readonly positional?: FlagName;
  /** Flags with another meaning under this command, for help; values are parsed by {@link FLAGS}. */
  readonly variants?: Partial<Record<FlagName, Flag>>;
  /** True if the command requests a session from the service. */
  readonly usesNetwork?: true;
}

/** Commands by their word or words. */
export const COMMANDS = {
  "credential-process": {
    summary: "print temporary credentials, for credential_process",
    flags: [...VENDING_FLAGS, "cache", "cache-dir"],
    ...VENDING_REQUIREMENTS,
  },
  "update": {
    summary: "write credentials to ~/.aws/credentials; refresh them",
    flags: [...VENDING_FLAGS, "profile", "once"],
    variants: {
      "profile": { ...FLAGS.profile, description: "profile of ~/.aws/credentials" },
    },
    ...VENDING_REQUIREMENTS,
  },
  "serve": {
    summary: "serve credentials to AWS SDKs on an IMDSv2 endpoint",
    flags: [
      ...VENDING_FLAGS,
      "port",
      "bind",
      "hop-limit",
      "allow-remote",
      "allow-host",
      "allow-user",
      "roles",
      "metrics",
      "container-credentials",
      "container-token-file",
    ],
    suppliedBy: "roles",
    ...VENDING_REQUIREMENTS,
  },
  "sign-string": {
    summary: "sign a test string, to show that the key works",
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
    summary: "print a certificate, or list those that match",
    flags: [...CERTIFICATE_FLAGS, "pkcs11-lib", "pkcs8-password", "debug"],
    required: [],
    oneOf: ["certificate", "cert-selector"],
  },
  "selftest": {
    summary: "list a store, sign with one key, verify the signature",
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
    summary: "remove the sessions that --cache stored",
    flags: ["cache-dir"],
    required: [],
    oneOf: [],
  },
  "configure": {
    summary: "print or write a credential_process setting",
    flags: [...VENDING_FLAGS, "cache", "cache-dir", "profile", "write"],
    variants: {
      "profile": { ...FLAGS.profile, description: "profile of ~/.aws/config" },
    },
    required: VENDING_REQUIREMENTS.required,
    oneOf: VENDING_REQUIREMENTS.oneOf,
  },
  "doctor": {
    summary: "find problems with keys, ARNs, files, clock, network",
    flags: [...VENDING_FLAGS, "profile", "roles", "json"],
    required: [],
    oneOf: [],
    variants: {
      "profile": {
        kind: "text",
        group: "command",
        value: "NAME",
        description: "profile whose credential_process to check",
      },
    },
    usesNetwork: true,
  },
  "health": {
    summary: "check that a local serve has valid credentials",
    flags: ["port", "bind"],
    required: [],
    oneOf: [],
    variants: {
      "port": { ...FLAGS.port, description: "port of the serve to ask" },
      "bind": {
        ...FLAGS.bind,
        description: "its IP, localhost or path with /",
      },
    },
  },
  "completions": {
    summary: "print a shell completion script",
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
  /** Commands that have the exclusion; absent: all. */
  readonly commands?: readonly CommandName[];
  /** Flag that permits both. */
  readonly unless?: FlagName;
  /** True if the second flag stays when the first one wins: another service's endpoint follows it. */
  readonly keepsSecond?: true;
}

/** Every exclusion. */
export const EXCLUSIONS: readonly Exclusion[] = [
  { flags: ["endpoint", "use-fips-endpoint"] },
  { flags: ["endpoint", "use-dualstack-endpoint"] },
  { flags: ["sts-endpoint", "use-fips-endpoint"], keepsSecond: true },
  { flags: ["sts-endpoint", "use-dualstack-endpoint"], keepsSecond: true },
  { flags: ["certificate", "cert-selector"] },
  { flags: ["certificate", "system-store-name"] },
  { flags: ["certificate", "system-store-location"] },
  // The certificate may come from the store and its key from another source.
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
  { flags: ["roles", "container-credentials"] },
  { flags: ["roles", "container-token-file"] },
];

/** Returns the name of a flag's own variable. */
export function variableOf(flag: FlagName): string {
  return `AWS_SIGNING_HELPER_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/** Returns a flag's entry, in the general type; with its meaning under `command` if that is given. */
export function flagOf(name: FlagName, command?: CommandName): Flag {
  return (command && commandOf(command).variants?.[name]) ?? FLAGS[name];
}

/** Returns true if `name` is a command. */
export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** Returns the two-word commands that start with `word`: `cache` has `cache clear`. */
export function commandsOfGroup(word: string): CommandName[] {
  return Object.keys(COMMANDS).filter(isCommandName).filter((name) => name.startsWith(`${word} `));
}

/** Returns true if `name` is a flag of any command. */
export function isFlagName(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}

/** Returns a command's entry, in the general type. */
export function commandOf(name: CommandName): Command {
  return COMMANDS[name];
}
