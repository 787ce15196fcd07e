import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";

import { BINARY_VARIABLE, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";

const program = (name: string) => fileURLToPath(new URL(`../support/${name}.ts`, import.meta.url));

/** Runs a program in a network namespace. Only root can move one end of a link to another. */
async function report(
  way: "unit" | "redirect" | "users",
): Promise<Record<string, unknown>> {
  const path = program(way === "users" ? "allowed_fixed_address" : "fixed_address");
  const { code, stdout, stderr } = await runProgram(
    "unshare",
    ["--net", Deno.execPath(), "run", "--quiet", "--cached-only", "--no-check", "-A", path, way],
    {
      env: Object.fromEntries(
        ["DENO_DIR", "DENO_TLS_CA_STORE", BINARY_VARIABLE].map((
          name,
        ) => [name, Deno.env.get(name) ?? ""])
          .filter(([, value]) => value !== ""),
      ),
    },
  );
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

testWith(
  ["root", "network-namespace", "python-client", "program:ip", "program:nsenter"],
  "serve on 169.254.169.254, as the systemd unit starts it, answers this machine and no other",
  async () => {
    const { boto3, issued, neighbour, neighbourMetrics, refused, ...rest } = await report("unit");
    assertEquals(boto3, `${issued} iam-role`);
    assertMatch(
      String(neighbour),
      /^this address is for programs on its own machine only; .* 403$/,
    );
    assertEquals(neighbourMetrics, "403");
    assertEquals(refused, ['{code="403",path="health"} 1', '{code="403",path="metrics"} 1']);
    assertEquals(rest, {
      statuses: "200 200",
      here: "200",
      hereByOtherAddress: "200",
      code: 0,
      left: false,
    });
  },
);

testWith(
  ["root", "network-namespace", "python-client", "program:ip", "program:nsenter", "program:nft"],
  "the documented redirect takes 169.254.169.254 to serve on loopback, for this machine only",
  async () => {
    const { boto3, issued, neighbour, neighbourMetrics, refused, ...rest } = await report(
      "redirect",
    );
    assertEquals(boto3, `${issued} iam-role`);
    assertMatch(String(neighbour), /^curl ended with (7|28)$/);
    assertMatch(String(neighbourMetrics), /^(7|28)$/);
    assertEquals(refused, []);
    assertEquals(rest, {
      statuses: "200 200",
      here: "200",
      withoutNetwork: "200",
      hereByOtherAddress: "200",
      code: 0,
      left: false,
    });
  },
);

testWith(
  ["root", "network-namespace", "other-user", "program:ip", "program:nft", "program:curl"],
  "--allow-user works at 169.254.169.254, and refuses clients that a redirect hides",
  async () => {
    assertEquals(await report("users"), {
      fixed: ["200", "403"],
      redirected: ["403", "403"],
      direct: ["200", "403"],
    });
  },
);
