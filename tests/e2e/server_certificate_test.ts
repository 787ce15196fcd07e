import { assertEquals, assertStringIncludes } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { SessionScenario } from "../support/session_scenario.ts";

Deno.test("a server certificate that is itself a CA is reported", async () => {
  await using scenario = await SessionScenario.create();
  // As `openssl req -x509` makes it: CA:TRUE, and a server's names.
  const server = await createAuthority(scenario.directory, {
    subject: "/CN=localhost",
    extensions: { keyUsage: null, subjectAltName: "DNS:localhost" },
  });
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: server.certificatePem,
    key: server.keyPem,
  });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.handshake().catch(() => {});
      connection.close();
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const args = scenario.flags.map((word) =>
    word === scenario.emulator.url
      ? `https://localhost:${port}`
      : word === scenario.caBundle
      ? server.certificatePath
      : word
  );
  try {
    const { code, stdout, stderr } = await runBinary(["credential-process", ...args]);
    assertEquals({ code, stdout }, { code: 6, stdout: "" });
    assertStringIncludes(
      stderr,
      `the TLS certificate of localhost:${port} is itself a CA certificate (CA:TRUE); `,
    );
  } finally {
    listener.close();
    await serving.catch(() => {});
  }
});
