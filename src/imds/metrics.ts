/**
 * Metrics of `serve --metrics`. They contain neither secrets nor clients. Every label has a closed
 * set of values. They are roles of the configuration, path classes, results, and the statuses that
 * `serve` sends.
 *
 * @module
 */
import type { RefreshEvent } from "../credentials/refresh/refresher.ts";
import type { HelperError } from "../errors.ts";
import type { Certificate } from "../x509/certificate.ts";
import type { EndpointMetrics } from "./endpoint.ts";
import { CONTENT_TYPE, formatMetrics, type Metric, type Sample } from "./exposition.ts";
import { type PathClass, pathClass } from "./paths.ts";
import type { TokenStore } from "./tokens.ts";

/** Prefix of every name, except for the ones that all programs share. */
const PREFIX = "aws_signing_helper_";

/** Values of the label `result`: success, or the exit code's name for the error. */
const RESULTS = ["success", "key", "refused", "unavailable", "network", "other"] as const;
type Result = typeof RESULTS[number];

/** Sources of the values that are not counted here. */
export interface MetricsSources {
  readonly version: string;
  /** Start of the process. */
  readonly started: Date;
  readonly tokens: TokenStore;
  /** Returns the certificate that was used last. */
  certificate(): Certificate | undefined;
  /** Returns the names of the roles that are served now. */
  roles(): readonly string[];
}

/** Refreshes of one role's session. */
class RoleRefreshes {
  readonly #refreshes = new Map<Result, number>(RESULTS.map((result) => [result, 0]));
  #failures = 0;
  #expiration: Date | undefined;
  #next: Date | undefined;
  /** Settings of the last session. */
  #settings: object | undefined;

  onRefresh(event: RefreshEvent, settings: object): void {
    if (event.kind === "refreshed") {
      this.#count("success");
      this.#failures = 0;
      this.#settings = settings;
      this.#expiration = event.credentials.expiration;
      this.#next = event.nextRefresh;
    } else if (event.kind === "failed") {
      this.#count(resultOf(event.error));
      this.#failures = event.failures;
      // The session of other settings is over, unless it is served until there is a new one.
      if (settings !== this.#settings) this.#expiration = event.credentials?.expiration;
      this.#next = event.nextAttempt;
    }
  }

  /** Number of refreshes by result; all results, from the start. */
  get refreshes(): ReadonlyMap<Result, number> {
    return this.#refreshes;
  }

  /** Number of failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Expiration of the last session, also if it is over; undefined before the first session. */
  get expiration(): Date | undefined {
    return this.#expiration;
  }

  /** Time of the next refresh or attempt. */
  get next(): Date | undefined {
    return this.#next;
  }

  #count(result: Result): void {
    this.#refreshes.set(result, (this.#refreshes.get(result) ?? 0) + 1);
  }
}

/** All metrics of a `serve`. */
export class ServeMetrics implements EndpointMetrics {
  readonly contentType = CONTENT_TYPE;
  readonly #requests = new Map<PathClass, Map<number, number>>();
  readonly #roles = new Map<string, RoleRefreshes>();

  constructor(private readonly sources: MetricsSources) {}

  /** Counts an event of a role's refresher. `settings` are those of the session: one object for each. */
  onRefresh(role: string, event: RefreshEvent, settings: object): void {
    this.#role(role).onRefresh(event, settings);
  }

  /** Counts a response. `path` is normalized. */
  countRequest(path: string, status: number): void {
    const name = pathClass(path);
    let statuses = this.#requests.get(name);
    if (!statuses) this.#requests.set(name, statuses = new Map());
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }

  /** Returns all metrics in Prometheus' text format. */
  render(): string {
    const { version, started, tokens } = this.sources;
    tokens.sweep();
    return formatMetrics([
      gauge(`${PREFIX}build_info`, "Version of the program; the value is always 1", [
        { labels: { version }, value: 1 },
      ]),
      gauge("process_start_time_seconds", "Start of the process, in seconds since 1970", [
        { value: toSeconds(started) },
      ]),
      ...this.#certificateMetrics(),
      ...this.#roleMetrics(),
      counter(
        `${PREFIX}http_requests_total`,
        "HTTP requests by class of the path and status code",
        [...this.#requests].flatMap(([path, statuses]) =>
          [...statuses].map(([status, value]) => ({
            labels: { path, code: String(status) },
            value,
          }))
        ),
      ),
      gauge(`${PREFIX}tokens`, "Tokens of the metadata endpoint that are valid now", [
        { value: tokens.size },
      ]),
      counter(`${PREFIX}tokens_evicted_total`, "Valid tokens that were replaced by newer ones", [
        { value: tokens.evicted },
      ]),
    ]);
  }

  #certificateMetrics(): Metric[] {
    const certificate = this.sources.certificate();
    const samples = (time: Date | undefined) => time ? [{ value: toSeconds(time) }] : [];
    return [
      gauge(
        `${PREFIX}certificate_not_before_timestamp_seconds`,
        "Start of the validity of the certificate in use, in seconds since 1970",
        samples(certificate?.notBefore),
      ),
      gauge(
        `${PREFIX}certificate_not_after_timestamp_seconds`,
        "End of the validity of the certificate in use, in seconds since 1970",
        samples(certificate?.notAfter),
      ),
    ];
  }

  #roleMetrics(): Metric[] {
    return [
      gauge(
        `${PREFIX}session_expiration_timestamp_seconds`,
        "Expiration of the last session, in seconds since 1970; 0 if there is none yet",
        this.#samples(({ expiration }) => [{ value: expiration ? toSeconds(expiration) : 0 }]),
      ),
      gauge(
        `${PREFIX}session_next_refresh_timestamp_seconds`,
        "Time of the next refresh or attempt, in seconds since 1970",
        this.#samples(({ next }) => next ? [{ value: toSeconds(next) }] : []),
      ),
      counter(
        `${PREFIX}session_refreshes_total`,
        "Refreshes of the session by result",
        this.#samples(({ refreshes }) =>
          [...refreshes].map(([result, value]) => ({ labels: { result }, value }))
        ),
      ),
      gauge(
        `${PREFIX}session_failed_refreshes`,
        "Failed refreshes since the last successful one",
        this.#samples(({ failures }) => [{ value: failures }]),
      ),
    ];
  }

  /** Returns samples of each role that is served now. */
  #samples(read: (role: RoleRefreshes) => readonly Sample[]): Sample[] {
    return this.sources.roles().flatMap((role) =>
      read(this.#role(role)).map(({ labels, value }) => ({ labels: { ...labels, role }, value }))
    );
  }

  #role(name: string): RoleRefreshes {
    let role = this.#roles.get(name);
    if (!role) this.#roles.set(name, role = new RoleRefreshes());
    return role;
  }
}

function toSeconds(time: Date): number {
  return time.getTime() / 1000;
}

function resultOf(error: HelperError): Result {
  return RESULTS.find((result) => result === error.exitName) ?? "other";
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "counter", help, samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "gauge", help, samples };
}
