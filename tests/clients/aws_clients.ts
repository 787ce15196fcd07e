import { fileURLToPath } from "node:url";

import {
  AWS_COMMAND,
  CLIENT_LIBRARIES,
  compiledClient,
  JAVASCRIPT_CLIENT,
  PYTHON,
} from "../support/tools.ts";
import { blocks } from "../support/documents.ts";
import type { Need } from "../support/needs.ts";
import { S3Service } from "./s3_service.ts";

/** The ways to credentials, in the order of the table in tests/README.md. */
export const WAYS = [
  "credential_process",
  "update",
  "metadata",
  "metadata without slash",
  "metadata on port 80",
  "fixed address",
  "container token",
  "container token file",
] as const;

/** A way to credentials. */
export type Way = typeof WAYS[number];

/** The service that a client calls, and the source of its credentials. */
export interface Target {
  /** The service's URL. */
  readonly url: string;
  /** Its host and port. */
  readonly host: string;
  readonly way: Way;
  /** A folder of this run. */
  readonly folder: string;
  /** The metadata endpoint; undefined if the way has none. */
  readonly metadata: string | undefined;
}

/** A command line and its environment. */
export interface ClientCommand {
  readonly line: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A cell of the table: "yes", "yes" with what it needs, or "no". */
export type Cell = "no" | "yes" | `yes, ${string}`;

/** A client's row of the table. */
export interface ClientCells {
  readonly process: Cell;
  readonly update: Cell;
  /** The metadata endpoint, named by a variable. */
  readonly metadata: Cell;
  /** The metadata endpoint at 169.254.169.254, which no variable names. */
  readonly fixed: Cell;
  /** The container endpoint with AWS_CONTAINER_AUTHORIZATION_TOKEN. */
  readonly token: Cell;
  /** The container endpoint with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE. */
  readonly tokenFile: Cell;
}

const ALL_WAYS: ClientCells = {
  process: "yes",
  update: "yes",
  metadata: "yes",
  fixed: "yes",
  token: "yes",
  tokenFile: "yes",
};
const WITH_SLASH = "yes, with its slash";
const ON_PORT_80 = "yes, on port 80";

/** Returns whether the client gets credentials by the way; undefined if the table is silent. */
export function expected(client: AwsClient, way: Way): boolean | undefined {
  const { cells } = rowHere(client);
  switch (way) {
    case "credential_process":
      return cells.process !== "no";
    case "update":
      return cells.update !== "no";
    case "metadata":
      return cells.metadata !== "no" && cells.metadata !== ON_PORT_80;
    case "metadata without slash":
      if (cells.metadata === "no" || cells.metadata === ON_PORT_80) return undefined;
      return cells.metadata !== WITH_SLASH;
    case "metadata on port 80":
      return cells.metadata === ON_PORT_80 ? true : undefined;
    case "fixed address":
      return cells.fixed !== "no";
    case "container token":
      return cells.token !== "no";
    case "container token file":
      return cells.tokenFile !== "no";
  }
}

/** A program that finds AWS credentials and signs a request with them. */
export interface AwsClient {
  readonly name: string;
  readonly service: "sts" | "s3" | "ecr";
  command(target: Target): ClientCommand;
  /** Output on success, if that has no data of the service's response. */
  readonly prints?: RegExp;
  /** Debian's package, if the client comes from Debian. */
  readonly debian?: string;
  /** The version that the table is about, and its cells; of a package in Debian 12. */
  readonly version: string;
  readonly cells: ClientCells;
  /** The package in Debian 13, with the cells that differ. */
  readonly debian13?: { readonly version: string; readonly cells?: Partial<ClientCells> };
  /** Need of the machine. */
  readonly need: Need;
}

/** A client's row of the table. */
export interface ClientRow {
  readonly version: string;
  /** Debian's release, if the client comes from Debian. */
  readonly release?: 12 | 13;
  readonly cells: ClientCells;
}

/** Returns the client's rows of the table: one for each release of Debian, or one. */
export function rowsOf({ version, debian, debian13, cells }: AwsClient): readonly ClientRow[] {
  if (debian === undefined) return [{ version, cells }];
  return [
    { version, release: 12, cells },
    ...debian13 === undefined ? [] : [{
      version: debian13.version,
      release: 13 as const,
      cells: { ...cells, ...debian13.cells },
    }],
  ];
}

/** Returns the client's row for this machine: Debian 12's there, otherwise the newest. */
export function rowHere(client: AwsClient): ClientRow {
  const rows = rowsOf(client);
  const row = isDebian12() ? rows[0] : rows.at(-1);
  if (row === undefined) throw new TypeError(client.name);
  return row;
}

function isDebian12(): boolean {
  const release = Deno.readTextFileSync("/etc/os-release");
  return /^ID=debian$/m.test(release) && /^VERSION_ID="12"$/m.test(release);
}

const go = compiledClient("go");
const goBase = compiledClient("go_base");
const goV1 = compiledClient("go_v1");
const java = compiledClient("java");
const rust = compiledClient("rust");

const BUCKET = S3Service.BUCKET;
const KEY = S3Service.KEY;

function python(script: string, ...args: string[]): string[] {
  return [PYTHON, scriptOf(`python/${script}`), ...args];
}

/** Describes a script for the Python with the libraries. */
function library(script: string, ...args: string[]): string[] {
  return [CLIENT_LIBRARIES, scriptOf(`python/${script}`), ...args];
}

function scriptOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Copies a script to where Node finds its packages; returns its path there. */
function nodeScript(name: string): string {
  const script = `${JAVASCRIPT_CLIENT}${name}`;
  Deno.copyFileSync(new URL(`javascript/${name}`, import.meta.url), script);
  return script;
}

/** Describes a library with the Rust crate object_store, which has its own variable for the metadata endpoint. */
function objectStore(name: string, version: string, update: Cell): AwsClient {
  return {
    name,
    need: "python-libraries",
    version,
    service: "s3",
    command: ({ url, metadata }) => ({
      line: library("read_object.py", name, url, BUCKET, KEY),
      env: metadata === undefined ? {} : { AWS_METADATA_ENDPOINT: metadata },
    }),
    cells: {
      process: "no",
      update,
      metadata: "yes, in `AWS_METADATA_ENDPOINT`",
      fixed: "yes",
      token: "no",
      tokenFile: "yes",
    },
  };
}

/**
 * Command that runs a program whose user's home directory is HOME, as s3fs reads it from the user
 * database.
 */
const IN_HOME = [
  "unshare",
  "--mount",
  "sh",
  "-c",
  'mount --bind "$HOME" "$(getent passwd "$(id -u)" | cut -d: -f6)" && exec "$@"',
  "sh",
];

/** Runs a program with the variables that tests/README.md sets from the credentials file. */
const inVariables = () => ["sh", "-ec", `${blocks("tests/README.md", "s3cmd")[0]}exec "$@"`, "sh"];

/** Options that name the source of s3fs's credentials. */
const S3FS_OPTIONS: Readonly<Partial<Record<Way, readonly string[]>>> = {
  "metadata": ["-o", "iam_role=Demo"],
  "metadata without slash": ["-o", "iam_role=Demo"],
  "metadata on port 80": ["-o", "iam_role=Demo"],
  "fixed address": ["-o", "iam_role=Demo"],
  "container token": ["-o", "ecs"],
  "container token file": ["-o", "ecs"],
};

/** The clients of the table, in its order. */
export const AWS_CLIENTS: readonly AwsClient[] = [
  {
    name: "boto3",
    need: "python-client",
    version: "1.44.5",
    service: "sts",
    command: () => ({ line: python("caller_identity.py") }),
    cells: ALL_WAYS,
  },
  {
    name: "AWS CLI 1",
    need: "python-client",
    version: "1.46.3",
    service: "sts",
    command: () => ({ line: [...AWS_COMMAND, "sts", "get-caller-identity"] }),
    cells: ALL_WAYS,
  },
  {
    name: "AWS CLI 2",
    need: "program:/usr/bin/aws",
    version: "2.9.19",
    debian: "awscli",
    service: "sts",
    command: ({ url }) => ({
      line: ["/usr/bin/aws", "sts", "get-caller-identity", "--endpoint-url", url],
    }),
    cells: {
      process: "yes",
      update: "yes",
      metadata: WITH_SLASH,
      fixed: "yes",
      token: "yes",
      tokenFile: "no",
    },
    debian13: { version: "2.23.6", cells: { tokenFile: "yes" } },
  },
  {
    name: "aiobotocore",
    need: "python-libraries",
    version: "3.10.0",
    service: "sts",
    command: () => ({ line: library("aiobotocore_identity.py") }),
    cells: ALL_WAYS,
  },
  {
    name: "AWS SDK for JavaScript",
    need: "javascript-client",
    version: "3.1173.0",
    service: "sts",
    command: () => ({ line: ["node", nodeScript("caller_identity.mjs")] }),
    cells: ALL_WAYS,
  },
  {
    name: "AWS SDK for Go v2",
    need: "go-client",
    version: "1.48.0",
    service: "sts",
    command: () => ({ line: [`${go.folder}caller_identity`] }),
    cells: ALL_WAYS,
  },
  {
    name: "AWS SDK for Go v1",
    need: "go-v1-client",
    version: "1.55.8",
    service: "sts",
    command: () => ({ line: [`${goV1.folder}caller_identity`] }),
    cells: ALL_WAYS,
  },
  {
    name: "aws-sdk-go-base",
    need: "go-base-client",
    version: "2.0.0-beta.74",
    service: "sts",
    command: () => ({ line: [`${goBase.folder}caller_identity`] }),
    cells: ALL_WAYS,
  },
  {
    name: "AWS SDK for Java",
    need: "java-client",
    version: "2.57.8",
    service: "sts",
    command: () => ({
      line: [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        `${java.folder}lib:${java.folder}lib/*`,
        "CallerIdentity",
      ],
    }),
    cells: ALL_WAYS,
  },
  {
    name: "AWS SDK for Rust",
    need: "rust-client",
    version: "1.13.0",
    service: "sts",
    command: () => ({ line: [`${rust.folder}caller_identity`] }),
    cells: {
      process: "no",
      update: "yes",
      metadata: "yes",
      fixed: "yes",
      token: "yes",
      tokenFile: "yes",
    },
  },
  {
    name: "AWS SDK for Ruby",
    need: "program:/usr/bin/ruby",
    version: "3.168.1",
    debian: "ruby-aws-sdk-core",
    service: "sts",
    command: () => ({
      line: ["/usr/bin/ruby", scriptOf("ruby/caller_identity.rb")],
      // It reads ~/.aws/config in the locale's encoding; the checkout's path need not be ASCII.
      env: { LC_ALL: "C.UTF-8" },
    }),
    cells: {
      process: "yes",
      update: "yes",
      metadata: ON_PORT_80,
      fixed: "yes",
      token: "no",
      tokenFile: "no",
    },
    debian13: { version: "3.212.0", cells: { metadata: "yes", token: "yes", tokenFile: "yes" } },
  },
  {
    name: "awscrt",
    need: "python-libraries",
    version: "0.38.1",
    service: "sts",
    command: () => ({ line: library("awscrt_identity.py") }),
    cells: ALL_WAYS,
  },
  {
    name: "aws-crt",
    need: "javascript-client",
    version: "1.33.2",
    service: "s3",
    command: ({ url }) => ({ line: ["node", nodeScript("crt_object.mjs"), url, BUCKET, KEY] }),
    cells: ALL_WAYS,
  },
  {
    name: "s3torchconnectorclient",
    need: "python-libraries",
    version: "1.5.0",
    service: "s3",
    command: ({ url }) => ({
      line: library("read_object.py", "s3torchconnectorclient", url, BUCKET, KEY),
    }),
    cells: {
      process: "yes",
      update: "yes",
      metadata: "no",
      fixed: "yes",
      token: "yes",
      tokenFile: "yes",
    },
  },
  {
    name: "pyarrow",
    need: "python-libraries",
    version: "26.0.1",
    service: "s3",
    command: ({ url }) => ({ line: library("read_object.py", "pyarrow", url, BUCKET, KEY) }),
    cells: ALL_WAYS,
  },
  objectStore("obstore", "0.12.1", "no"),
  objectStore("polars", "2.1.0", "yes"),
  objectStore("deltalake", "1.6.6", "no"),
  {
    name: "rclone",
    need: "program:rclone",
    version: "1.60.1",
    debian: "rclone",
    service: "s3",
    command: ({ url, folder }) => ({
      line: [
        "/usr/bin/rclone",
        "--config",
        `${folder}/rclone.conf`,
        "cat",
        `:s3,provider=Other,env_auth,endpoint="${url}":${BUCKET}/${KEY}`,
      ],
    }),
    cells: {
      process: "yes",
      update: "yes",
      metadata: "yes",
      fixed: "yes",
      token: "yes",
      tokenFile: "no",
    },
    // The same version, built with a newer SDK.
    debian13: { version: "1.60.1", cells: { tokenFile: "yes" } },
  },
  {
    name: "restic",
    need: "program:restic",
    version: "0.14.0",
    debian: "restic",
    service: "s3",
    command: ({ url }) => ({
      line: ["/usr/bin/restic", "-r", `s3:${url}/${BUCKET}/backup`, "--no-cache", "init"],
      env: { RESTIC_PASSWORD: "demo" },
    }),
    prints: /^created restic repository/m,
    cells: {
      process: "no",
      update: "yes",
      metadata: "no",
      fixed: "yes",
      token: "yes",
      tokenFile: "no",
    },
    debian13: { version: "0.18.0", cells: { tokenFile: "yes" } },
  },
  {
    name: "s3cmd",
    need: "program:s3cmd",
    version: "2.3.0",
    debian: "s3cmd",
    service: "s3",
    command: ({ host, way }) => ({
      line: [
        ...way === "update" && !isDebian12() ? inVariables() : [],
        "/usr/bin/s3cmd",
        "--no-ssl",
        `--host=${host}`,
        `--host-bucket=${host}`,
        "--region=eu-central-1",
        "get",
        `s3://${BUCKET}/${KEY}`,
        "-",
      ],
      // Without ~/.s3cfg it reads the credentials file only if one of its variables is set.
      env: way === "update" && isDebian12() ? { AWS_PROFILE: "default" } : {},
    }),
    cells: {
      process: "no",
      update: "yes, with `AWS_PROFILE`",
      metadata: "no",
      fixed: "yes",
      token: "no",
      tokenFile: "no",
    },
    debian13: { version: "2.4.0", cells: { update: "yes, as variables" } },
  },
  {
    name: "s3fs-fuse",
    need: "fuse",
    version: "1.90",
    debian: "s3fs",
    service: "s3",
    command: ({ url, folder, way }) => ({
      line: [
        ...way === "update" ? IN_HOME : [],
        // A file below the home directory is hidden there.
        ...["sh", "-c", Deno.readTextFileSync(scriptOf("s3fs_object.sh")), "sh"],
        `${folder}/mount`,
        url,
        BUCKET,
        KEY,
        ...S3FS_OPTIONS[way] ?? [],
      ],
    }),
    cells: {
      process: "no",
      update: "yes",
      metadata: "no",
      fixed: "yes, with `-o iam_role=ROLE`",
      token: "no",
      tokenFile: "no",
    },
    debian13: { version: "1.95" },
  },
  {
    name: "minio",
    need: "javascript-client",
    version: "8.0.7",
    service: "s3",
    command: ({ url, metadata }) => ({
      line: [
        "node",
        nodeScript("minio_object.mjs"),
        url,
        BUCKET,
        KEY,
        ...metadata === undefined ? [] : [metadata],
      ],
    }),
    cells: {
      process: "no",
      update: "no",
      metadata: "no",
      fixed: "no",
      token: "no",
      tokenFile: "no",
    },
  },
  {
    name: "docker-credential-ecr-login",
    need: "program:docker-credential-ecr-login",
    version: "0.6.0",
    debian: "amazon-ecr-credential-helper",
    service: "ecr",
    command: () => ({ line: ["sh", "-c", `echo ${REGISTRY} | docker-credential-ecr-login get`] }),
    cells: {
      process: "yes",
      update: "yes",
      metadata: "yes",
      fixed: "yes",
      token: "yes",
      tokenFile: "no",
    },
    debian13: { version: "0.7.1", cells: { tokenFile: "yes" } },
  },
];

/** The registry of the requested password. */
export const REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

/** Returns the client's rows as tests/README.md has them. */
export function readmeRows(client: AwsClient): string[][] {
  return rowsOf(client).map(({ version, release, cells }) => [
    client.name,
    release === undefined ? version : `${version} (Debian ${release})`,
    cells.process,
    cells.update,
    cells.metadata,
    cells.fixed,
    cells.token,
    cells.tokenFile,
  ]);
}
