import { assertEquals } from "@std/assert";
import { type Need, testWith } from "../support/needs.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { PYTHON } from "../support/tools.ts";

/**
 * Program that requests /healthz and prints the status line, or nothing. Its socket drops every
 * packet, SYN-ACK included, whose hop limit is below `min` (IP_MINTTL, IPV6_MINHOPCOUNT).
 */
const SCRIPT = `
import socket, sys
host, port, least = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
v6 = ":" in host
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(*((socket.IPPROTO_IPV6, 73) if v6 else (socket.IPPROTO_IP, 21)), least)
s.settimeout(1)
try:
    s.connect((host, port))
    s.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    print(s.recv(100).split(b"\\r\\n")[0].decode())
except TimeoutError:
    print("nothing")
`;

async function askWithMin(url: string, min: number): Promise<string> {
  const { hostname, port } = new URL(url);
  const { stdout, stderr } = await new Deno.Command(PYTHON, {
    args: ["-c", SCRIPT, hostname.replace(/[[\]]/g, ""), port, String(min)],
  }).output();
  return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
}

for (const bind of ["127.0.0.1", "::1"]) {
  for (const hops of [1, 5, 64, 200]) {
    const needs: Need[] = bind === "::1" ? ["ipv6-loopback"] : [];
    testWith(
      needs,
      `serve --hop-limit ${hops} on ${bind} reaches a client at ${hops} hops and not at ${
        hops + 1
      }`,
      async () => {
        await using scenario = await SessionScenario.create();
        await using serve = await ServeProcess.start(scenario, [
          `--hop-limit=${hops}`,
          "--bind",
          bind,
        ]);
        const answers = await Promise.all([hops, hops + 1].map((n) => askWithMin(serve.url, n)));
        assertEquals(answers, ["HTTP/1.1 200 OK", "nothing"]);
      },
    );
  }
}

testWith(
  ["ipv6-loopback"],
  "serve --hop-limit 1 on every address limits IPv4 and IPv6 alike",
  async () => {
    await using scenario = await SessionScenario.create();
    await using serve = await ServeProcess.start(scenario, ["--hop-limit=1", "--bind", "::"]);
    for (const host of ["127.0.0.1", "[::1]"]) {
      const url = `http://${host}:${serve.port}`;
      const answers = await Promise.all([1, 2].map((n) => askWithMin(url, n)));
      assertEquals([host, ...answers], [host, "HTTP/1.1 200 OK", "nothing"]);
    }
  },
);
