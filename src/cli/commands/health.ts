/**
 * `health`: what `/healthz` of a `serve` on this machine says, for probes that run a program in the
 * container (there is no other in the image), as the endpoint is on loopback alone.
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
import type { FlagValues } from "../flags/flag_values.ts";
import type { System } from "../system.ts";
import { withTimeout } from "../../timeout.ts";

/** A probe is asked again anyway. */
const TIMEOUT = 5_000;

/** Prints the answer as it is. Throws `network…` for no answer, `service-unavailable` for a bad one. */
export async function health(values: FlagValues, system: System): Promise<void> {
  const bind = parseBindAddress(values.required("bind"), values.integer("port"), {
    hopLimit: 1,
    allowRemote: true,
  });
  const place = bind.kind === "unix" ? bind.path : endpointUrl(bind);
  const { status, body } = await ask(bind, place);
  system.write(`${new TextDecoder().decode(body).trim()}\n`);
  if (status !== 200) {
    throw new HelperError(
      "service-unavailable",
      `the serve on ${place} has no valid credentials (HTTP ${status})`,
    );
  }
}

async function ask(bind: BindAddress, place: string): Promise<HttpResponse> {
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
        `no answer from ${place} within ${TIMEOUT / 1000} s`,
      );
    });
  } catch (cause) {
    if (cause instanceof HelperError) throw cause;
    const sentence = `no serve answers on ${place}; check --port and --bind (${messageOf(cause)})`;
    throw new HelperError("network", sentence, { cause });
  } finally {
    connection?.close();
  }
}

function connect(bind: BindAddress): Promise<Deno.Conn> {
  if (bind.kind === "unix") return Deno.connect({ transport: "unix", path: bind.path });
  const { hostname, port } = new URL(endpointUrl(bind));
  return Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || 80 });
}
