/**
 * `health`: requests `/healthz` of a local `serve`, for container probes. The probe runs in the
 * container because the endpoint is on loopback only; the image has no other program.
 *
 * @module
 */
import { HelperError, messageOf, printableLine } from "../../errors.ts";
import {
  type BindAddress,
  endpointUrl,
  parseBindAddress,
} from "../../imds/listener/bind_address.ts";
import { awaitFileSystem } from "../../files/source_file.ts";
import type { Health } from "../../imds/documents.ts";
import { exchange, type HttpResponse } from "../../http/http_exchange.ts";
import { bareHost } from "../../http/url_parts.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import type { System } from "../system.ts";
import { withTimeout } from "../../timeout.ts";

/** Timeout of a request, milliseconds. Probes are repeated, so there is no retry. */
const TIMEOUT = 5_000;

/** Statuses of a health document. */
const STATUSES: readonly string[] = ["ok", "failing", "expired"] satisfies Health["status"][];

/**
 * Prints the health document. Throws `network…` without one, and `service-unavailable` if there are no valid
 * credentials.
 */
export async function health(values: FlagValues, system: System): Promise<void> {
  const bind = parseBindAddress(values.required("bind"), values.integer("port"), {
    source: values.sourceOf("bind"),
    hopLimit: 1,
    allowRemote: true,
  });
  const address = bind.kind === "unix" ? bind.path : endpointUrl(bind);
  const { status, body } = await requestHealth(bind, address);
  const document = parseHealth(body);
  if (document === undefined || status !== (document.status === "expired" ? 503 : 200)) {
    throw new HelperError(
      "network",
      `the program on ${address} is not serve (HTTP ${status}); check --port and --bind`,
    );
  }
  // Not the body itself: another program could write control characters into it.
  system.write(`${printableLine(JSON.stringify(document), body.length)}\n`);
  if (status !== 200) {
    throw new HelperError(
      "service-unavailable",
      `serve on ${address} has no valid credentials (HTTP ${status}); see its log`,
    );
  }
}

/** Returns the document; undefined for a body that is none of `serve`. */
function parseHealth(body: Uint8Array): { readonly status: string } | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof document !== "object" || document === null || !("status" in document)) {
      return undefined;
    }
    const { status } = document;
    return typeof status === "string" && STATUSES.includes(status)
      ? { ...document, status }
      : undefined;
  } catch {
    return undefined;
  }
}

async function requestHealth(bind: BindAddress, address: string): Promise<HttpResponse> {
  let connection: Deno.Conn | undefined;
  const exchangeOnce = async () => {
    connection = await connect(bind);
    const headers = new Map([["host", "localhost"], ["connection", "close"]]);
    return await exchange(connection, { method: "GET", target: "/healthz", headers });
  };
  try {
    return await withTimeout(exchangeOnce(), TIMEOUT, () => {
      throw new HelperError(
        "network-timeout",
        `no response from ${address} within ${TIMEOUT / 1000} s`,
      );
    });
  } catch (cause) {
    if (cause instanceof HelperError) throw cause;
    const message = `no serve responds on ${address}; check --port and --bind (${
      messageOf(cause)
    })`;
    throw new HelperError("network", message, { cause });
  } finally {
    connection?.close();
  }
}

async function connect(bind: BindAddress): Promise<Deno.Conn> {
  if (bind.kind === "unix") {
    await awaitFileSystem(bind.path, {}); // the runtime connects in its main thread
    return await Deno.connect({ transport: "unix", path: bind.path });
  }
  const { hostname, port } = new URL(endpointUrl(bind));
  return await Deno.connect({ hostname: bareHost(hostname), port: Number(port) || 80 });
}
