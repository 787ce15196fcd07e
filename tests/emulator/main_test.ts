import { fileURLToPath } from "node:url";
import { assertEquals, assertMatch } from "@std/assert";

import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { signRequest } from "./request_signer.ts";

function emulator(...args: string[]): Deno.Command {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", "-A", main, ...args],
    stdout: "piped",
    stderr: "piped",
  });
}

for (const signal of Deno.build.os === "windows" ? [] : ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`the emulator's program serves and exits with 0 on ${signal}`, async () => {
    using directory = new TemporaryDirectory();
    const root = await createAuthority(directory, { subject: "/CN=Root" });
    const server = await issueCertificate(root, { subject: "/CN=s", hosts: ["localhost"] });
    const client = await issueCertificate(root, { subject: "/CN=c" });
    // deno-fmt-ignore
    await using child = emulator(
      "--trust-anchor", root.certificatePath, "--certificate", server.certificatePath,
      "--key", server.keyPath, "--region", "us-east-1",
    ).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value: line = "" } = await reader.read();
    assertMatch(line, /^emulator: https:\/\/localhost:\d+\n$/);

    const { host, origin } = new URL(line.slice("emulator: ".length).trim());
    const request = await signRequest(client, { host, time: new Date() });
    using http = Deno.createHttpClient({ caCerts: [root.certificatePem], http2: false });
    const response = await fetch(`${origin}${request.url}`, {
      method: "POST",
      headers: request.headers.filter(([name]) => name !== "host").map(([...pair]) => pair),
      body: request.body,
      client: http,
    });
    assertEquals(response.status, 201);
    await response.body?.cancel();

    child.kill(signal);
    assertEquals((await reader.read()).done, true);
    assertEquals(await new Response(child.stderr).text(), "");
    assertEquals((await child.status).code, 0);
  });
}

Deno.test("the emulator's program exits with 2 and one line if it cannot start", async () => {
  for (
    const args of [[], ["--region"], ["--nothing"], ["--region", "x", "--trust-anchor", "/none"], [
      "--region",
      "x",
      "--trust-anchor",
      "/dev/null",
    ], ["--region", "x", "--trust-anchor", "/none", "--key", "/none"]]
  ) {
    const { code, stdout, stderr } = await emulator(...args).output();
    assertEquals(code, 2);
    assertEquals(stdout.length, 0);
    assertMatch(new TextDecoder().decode(stderr), /^emulator: [^\n]+\n$/);
  }
});
