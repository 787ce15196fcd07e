/**
 * Metrics of `serve --metrics`. They contain neither secrets nor clients, and every label has a closed
 * set of values: roles of the configuration, path classes, results, and the statuses that `serve` sends.
 *
 * @module
 */
import type { RefreshEvent } from "../credentials/refresh/refresher.ts";
import type { HelperError } from "../errors.ts";
import type { Certificate } from "../x509/certificate.ts";
import type { EndpointMetrics } from "./app.ts";
import { CONTENT_TYPE, formatMetrics, type Metric, type Sample } from "./exposition.ts";
import { type PathClass, pathClass } from "./paths.ts";
import type { TokenStore } from "./tokens.ts";

/** Prefix of every name, except for the ones that all programs share. */
const PREFIX = "aws_signing_helper_";

/** Values of the label `result`: success, or the exit code's name for the error. */
const RESULTS = ["success", "key", "refused", "unavailable", "network", "other"] as const;
type Result = typeof RESULTS[number];

/** Facts that do not change, and the token store. */
export interface MetricsOptions {
  readonly version: string;
  /** Start of the process. */
  readonly started: Date;
  readonly tokens: TokenStore;
}

/** Metrics of one role, fed by its refresher. */
export class RoleMetrics {
  readonly #refreshes = new Map<Result, number>(RESULTS.map((result) => [result, 0]));
  #failures = 0;
  #expiration: Date | undefined;
  #next: Date | undefined;

  /** @param certificate returns the certificate that was used last */
  constructor(readonly certificate: () => Certificate | undefined) {}

  /** Counts an event of the refresher. */
  onRefresh(event: RefreshEvent): void {
    if (event.kind === "refreshed") {
      this.#count("success");
      this.#failures = 0;
      this.#expiration = event.credentials.expiration;
      this.#next = event.nextRefresh;
    } else if (event.kind === "failed") {
      this.#count(resultOf(event.error));
      this.#failures = event.failures;
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
  readonly #roles = new Map<string, RoleMetrics>();

  constructor(private readonly options: MetricsOptions) {}

  /** Adds a role, or replaces the one with this name. */
  addRole(name: string, certificate: () => Certificate | undefined): RoleMetrics {
    const role = new RoleMetrics(certificate);
    this.#roles.set(name, role);
    return role;
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
    const { version, started, tokens } = this.options;
    tokens.sweep();
    return formatMetrics([
      gauge(`${PREFIX}build_info`, "Version of the program; the value is always 1", [
        { labels: { version }, value: 1 },
      ]),
      gauge("process_start_time_seconds", "Start of the process, in seconds since 1970", [
        { value: started.getTime() / 1000 },
      ]),
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

  #roleMetrics(): Metric[] {
    const timestamp = (name: string, help: string, read: (role: RoleMetrics) => Date | undefined) =>
      gauge(
        `${PREFIX}${name}_timestamp_seconds`,
        `${help}, in seconds since 1970`,
        this.#samples((role) => {
          const time = read(role);
          return time ? [{ value: time.getTime() / 1000 }] : [];
        }),
      );
    return [
      timestamp(
        "certificate_not_before",
        "Start of the validity of the certificate in use",
        ({ certificate }) => certificate()?.notBefore,
      ),
      timestamp(
        "certificate_not_after",
        "End of the validity of the certificate in use",
        ({ certificate }) => certificate()?.notAfter,
      ),
      timestamp(
        "session_expiration",
        "Expiration of the session, 1970 if there is none yet",
        ({ expiration }) => expiration ?? new Date(0),
      ),
      timestamp("session_next_refresh", "Time of the next refresh or attempt", ({ next }) => next),
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

  #samples(read: (role: RoleMetrics) => readonly Sample[]): Sample[] {
    return [...this.#roles].flatMap(([role, metrics]) =>
      read(metrics).map(({ labels, value }) => ({ labels: { ...labels, role }, value }))
    );
  }
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
