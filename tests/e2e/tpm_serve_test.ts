import { assertEquals, assertMatch } from "@std/assert";
import { RunningBinary } from "../support/running_binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { makeParents, TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";
import { COMMAND, type ProxyOptions, TpmProxy } from "../support/tpm/tpm_proxy.ts";

/** Starts `serve` with a TSS2 key file, and a proxy to the TPM. */
async function start(options: ProxyOptions = {}) {
  const tpm = await SoftwareTpm.start();
  const scenario = await SessionScenario.create();
  const maker = new TpmKeyMaker(tpm);
  await makeParents(maker);
  await maker.make(`child key 0x81000002 -P parentpw -G ecc256 -a "$SIGN" -p keypw`);
  const { trustAnchor, serviceFlags, directory } = scenario;
  const extensions = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n";
  // deno-fmt-ignore
  await tpm.run(
    "openssl", "x509", "-new", "-subj", "/CN=tpm", "-force_pubkey", "key.pem", "-days", "30",
    "-CA", trustAnchor.certificatePath, "-CAkey", trustAnchor.keyPath,
    "-extfile", directory.write("extensions", extensions), "-out", "key.crt",
  );
  const proxy = TpmProxy.start(tpm, options);
  const server = new RunningBinary(
    // deno-fmt-ignore
    [
      "serve", "--port", "0", "--certificate", tpm.directory.join("key.crt"),
      "--private-key", maker.tss2("key", { parent: 0x81000002 }),
      "--tpm-key-password", `file:${tpm.directory.write("key.password", "keypw\n")}`,
      "--tpm-parent-password", `file:${tpm.directory.write("parent.password", "parentpw\n")}`,
      ...serviceFlags,
    ],
    proxy.env,
  );
  return {
    tpm,
    proxy,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await scenario[Symbol.asyncDispose]();
      await tpm[Symbol.asyncDispose]();
    },
  };
}

Deno.test("serve returns credentials with a TPM key, and closes the TPM", async () => {
  await using at = await start();
  const line = await at.server.waitForLine(/AWS_EC2_METADATA_SERVICE_ENDPOINT=/);
  const endpoint = /=(http:.*)\/$/.exec(line)?.[1] ?? "";
  const token = await (await fetch(`${endpoint}/latest/api/token`, { method: "PUT" })).text();
  const response = await fetch(
    `${endpoint}/latest/meta-data/iam/security-credentials/default`,
    { headers: { "x-aws-ec2-metadata-token": token } },
  );
  assertMatch((await response.json()).AccessKeyId, /^ASIA/);
  assertEquals(await at.tpm.listLeftovers(), []);
  at.server.kill("SIGTERM");
  assertEquals((await at.server.end()).code, 0);
});

Deno.test("serve leaves the TPM empty after a signal during a signature", async () => {
  await using at = await start({ delayOf: (code) => code === COMMAND.sign ? 700 : 0 });
  while (!at.proxy.commands.includes(COMMAND.sign)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  at.server.kill("SIGTERM");
  const { stdout } = await at.server.end();
  assertEquals(stdout, "");
  assertEquals(await at.tpm.listLeftovers(), []);
});
