/**
 * Environment variables that the runtime (Deno's base binary) reads.
 *
 * `packaging/base/environment.ts` removes those from the base binary that it reads before this
 * program's first line. `remove_variables.ts` removes the rest before their first use.
 *
 * @module
 */

import { REMOVED_PREFIXES } from "./remove_variables.ts";

/** Handling of a variable. */
export type Handling =
  /** Read before our first line: its name is changed in the base binary. */
  | "renamed"
  /** Read later, or never: removed from the process before anything can read it. */
  | "removed"
  /** Kept: its effect is harmless, or users and native libraries rely on it. */
  | "kept";

/** Variable of the runtime. */
export interface RuntimeVariable {
  readonly handling: Handling;
  /** Its effect on this program if the runtime followed it. */
  readonly effect: string;
  /** Targets of `deno compile` whose base binary reads it early; all if absent. */
  readonly targets?: RegExp;
  /** The code that reads it early, if other code of the base binary has the same text. */
  readonly reader?: "C" | "Rust";
}

const renamed = (effect: string): RuntimeVariable => ({ handling: "renamed", effect });
const removed = (effect: string): RuntimeVariable => ({ handling: "removed", effect });
const kept = (effect: string): RuntimeVariable => ({ handling: "kept", effect });

const TELEMETRY = "telemetry, which a compiled program does not start";
const DATABASE = "Deno's databases, which are never opened";
const GRAPHICS = "WebGPU, which is never used";
const NODE_PROCESS = "a channel to a parent process of Node.js";
const PROXY = "a proxy of fetch; this program reads it for --with-proxy";
const COLOURS = "colours of the runtime's own messages";
const LANGUAGE = "the language of dates and numbers, which are not printed";
const LOCALE = {
  ...renamed("30 characters that are not a locale end the process at startup"),
  targets: /linux|darwin/,
  reader: "C",
} as const;

/** All variables whose names the base binary contains. */
export const RUNTIME_VARIABLES: Readonly<Record<string, RuntimeVariable>> = {
  DENO_LOG: renamed("the runtime's log on standard error"),
  DENO_LOG_STYLE: renamed("colours of that log"),
  DENO_TOKIO_EVENT_INTERVAL: renamed("0 hangs the process at startup"),
  DENO_TOKIO_GLOBAL_QUEUE_INTERVAL: renamed("0 ends the process at startup"),
  DENO_TOKIO_MAX_IO_EVENTS_PER_TICK: renamed("0 ends the process at startup"),
  DENO_TOKIO_METRICS: renamed("figures of the event loop on standard error"),
  DENO_TOKIO_METRICS_INTERVAL: renamed("how often these figures are printed"),
  DENO_UNSTABLE_CRON_SOCK: renamed("connects to a socket at startup"),
  DENO_CACHE_LSC_ENDPOINT: renamed("a remote store for the Cache API"),
  DENO_USE_CGROUPS: {
    ...renamed("the size of the heap follows the memory cgroup"),
    targets: /linux/,
  },
  DENO_USR2_MEMORY_TRIM: {
    ...renamed("SIGUSR2 makes the runtime return memory"),
    targets: /linux/,
  },
  SSLKEYLOGFILE: renamed("writes the keys of TLS sessions to a file"),
  TMPDIR: {
    ...renamed("a relative folder or an empty value ends the process at startup"),
    targets: /linux|darwin/,
    reader: "Rust",
  },
  OPENSSL_ia32cap: {
    ...renamed("features that the processor lacks end the process at startup"),
    targets: /x86_64/,
    reader: "C",
  },
  LC_ALL: LOCALE,
  LC_MESSAGES: LOCALE,
  LANG: LOCALE,

  DENO_SERVE_ADDRESS: removed("moves the listener of serve, or adds another"),
  DENO_TRUST_PROXY_HEADERS: removed("a header of a request replaces the client's address"),
  DENO_CERT: removed("trusts another certificate authority"),
  DENO_TLS_CA_STORE: removed("chooses the trusted authorities; set to the system's"),
  DENO_TRACE_PERMISSIONS: removed("stack traces of permission checks, which do not happen"),
  DENO_UNSTABLE_FFI_TRACE_TURBO: removed("prints the code of foreign calls"),
  DENO_USE_WRITEVP: removed("another system call for writing to sockets"),
  DENO_NO_FILTER_FRAMES: removed("frames of the runtime in stack traces"),
  DENO_DONT_USE_INTERNAL_NODE_COMPAT_STATE_FD: removed(NODE_PROCESS),
  DENO_CRON_TEST_SCHEDULE_OFFSET: removed("Deno.cron, which is never used"),
  DENO_CACHE_DB_MODE: removed(DATABASE),
  DENO_KV_ACCESS_TOKEN: removed(DATABASE),
  DENO_KV_DB_MODE: removed(DATABASE),
  DENO_KV_DEFAULT_PATH: removed(DATABASE),
  DENO_KV_PATH_PREFIX: removed(DATABASE),
  DENO_WEBGPU_BACKEND: removed(GRAPHICS),
  DENO_WEBGPU_TRACE: removed(GRAPHICS),
  NODE_CHANNEL_FD: removed(NODE_PROCESS),
  NODE_CHANNEL_SERIALIZATION_MODE: removed(NODE_PROCESS),
  NODE_UNIQUE_ID: removed(NODE_PROCESS),
  NODE_DEBUG: removed("debug output of Node's modules on standard error"),
  NODE_DISABLE_COLORS: removed(COLOURS),
  NODE_EXTRA_CA_CERTS: removed("trusts other certificate authorities"),
  NODE_ICU_DATA: removed(LANGUAGE),
  NODE_OPTIONS: removed(
    "options of Node.js; a value that is not UTF-8 ends the process at startup",
  ),
  NODE_V8_COVERAGE: removed("a folder for coverage, which is not written"),
  OTEL_BLRP_EXPORT_TIMEOUT: removed(TELEMETRY),
  OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: removed(TELEMETRY),
  OTEL_BLRP_MAX_QUEUE_SIZE: removed(TELEMETRY),
  OTEL_BLRP_SCHEDULE_DELAY: removed(TELEMETRY),
  OTEL_BSP_EXPORT_TIMEOUT: removed(TELEMETRY),
  OTEL_BSP_MAX_CONCURRENT_EXPORTS: removed(TELEMETRY),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: removed(TELEMETRY),
  OTEL_BSP_MAX_QUEUE_SIZE: removed(TELEMETRY),
  OTEL_BSP_SCHEDULE_DELAY: removed(TELEMETRY),
  OTEL_DENO_VSOCK: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_CERTIFICATE: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_CLIENT_KEY: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_ENDPOINT: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_HEADERS: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_LOGS_HEADERS: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_METRICS_HEADERS: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_PROTOCOL: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_TIMEOUT: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: removed(TELEMETRY),
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: removed(TELEMETRY),
  OTEL_METRIC_EXPORT_INTERVAL: removed(TELEMETRY),
  OTEL_RESOURCE_ATTRIBUTES: removed(TELEMETRY),
  OTEL_SERVICE_NAME: removed(TELEMETRY),
  RUST_MIN_STACK: removed("the stack of the runtime's threads; too large, the process ends"),
  SIMDUTF_FORCE_IMPLEMENTATION: removed("another way to read UTF-8; a wrong name breaks TLS"),
  ALL_PROXY: removed(PROXY),
  all_proxy: removed(PROXY),
  HTTP_PROXY: removed(PROXY),
  http_proxy: removed(PROXY),
  HTTPS_PROXY: removed(PROXY),
  https_proxy: removed(PROXY),
  NO_PROXY: removed(PROXY),
  no_proxy: removed(PROXY),

  SSL_CERT_FILE: kept("replaces the system's authorities, as for other programs"),
  SSL_CERT_DIR: kept("none while SSL_CERT_FILE is not followed for a folder"),
  TZ: kept("local time, which is not printed"),
  ICU_DATA: kept(LANGUAGE),
  ICU_TIMEZONE_FILES_DIR: kept(LANGUAGE),
  RUST_BACKTRACE: kept("stack traces when the runtime itself fails"),
  RUST_LIB_BACKTRACE: kept("stack traces when the runtime itself fails"),
  RUST_LOG: kept("none; PKCS#11 modules may follow it"),
  RUST_LOG_STYLE: kept("none; PKCS#11 modules may follow it"),
  RAYON_NUM_THREADS: kept("none; threads that are never started"),
  RAYON_RS_NUM_CPUS: kept("none; threads that are never started"),
  TOKIO_WORKER_THREADS: kept("none; the event loop has one thread"),
  OPENSSL_CONF: kept("none; OpenSSL in a PKCS#11 or TPM module follows it"),
  NO_COLOR: kept(COLOURS),
  FORCE_COLOR: kept(COLOURS),
  CLICOLOR: kept(COLOURS),
  CLICOLOR_FORCE: kept(COLOURS),
  COLORTERM: kept(COLOURS),
  TERM: kept(COLOURS),
  TERM_PROGRAM: kept(COLOURS),
  TMUX: kept(COLOURS),
  CI: kept(COLOURS),
  XDG_DATA_HOME: kept("none; a folder that is not used"),
};

/**
 * Names of the variables that are not kept, except those that libraries and child processes follow, and those
 * of {@link REMOVED_PREFIXES}. The loader has a copy.
 */
export const REMOVED_VARIABLES: readonly string[] = Object.entries(RUNTIME_VARIABLES)
  .filter(([, { handling, reader }]) => handling !== "kept" && reader === undefined)
  .map(([name]) => name)
  .filter((name) => !REMOVED_PREFIXES.some((prefix) => name.startsWith(prefix)));
