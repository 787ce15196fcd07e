/**
 * `health`: requests `/healthz` of a local `serve`, for container probes. The probe runs in the
 * container because the endpoint is on loopback only; the image has no other program.
 *
 * @module
 */
import { HelperError, messageOf } from "../../errors.ts";
import {
  type BindAddress,
  endpointUrl,
  parseBindAddress,
} from "../../imds/listener/bind_address.ts";
import { exchange, type HttpResponse } from "../../http/http_exchange.ts";
import { bareHost } from "../../http/url_parts.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import type { System } from "../system.ts";
import { withTimeout } from "../../timeout.ts";

/** Timeout of a request, milliseconds. Probes are repeated, so there is no retry. */
const TIMEOUT = 5_000;

/** Prints the response body. Throws `network…` without a response, `service-unavailable` if not 200. */
export async function health(values: FlagValues, system: System): Promise<void> {
  const bind = parseBindAddress(values.required("bind"), values.integer("port"), {
    source: values.sourceOf("bind"),
    hopLimit: 1,
    allowRemote: true,
  });
  const address = bind.kind === "unix" ? bind.path : endpointUrl(bind);
  const { status, body } = await requestHealth(bind, address);
  system.write(`${new TextDecoder().decode(body).trim()}\n`);
  if (status !== 200) {
    throw new HelperError(
      "service-unavailable",
      `serve on ${address} has no valid credentials (HTTP ${status}); see its log`,
    );
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

function connect(bind: BindAddress): Promise<Deno.Conn> {
  if (bind.kind === "unix") return Deno.connect({ transport: "unix", path: bind.path });
  const { hostname, port } = new URL(endpointUrl(bind));
  return Deno.connect({ hostname: bareHost(hostname), port: Number(port) || 80 });
}
