import { assertEquals, assertGreater } from "@std/assert";
import { CanaryCage, twoAtATime } from "../support/canary.ts";
import { CANARY_KEYS, damaged, DAMAGES } from "../support/canary_keys.ts";
import { SessionScenario } from "../support/session_scenario.ts";

const PASSPHRASE = "Kreuzotter-4567-Ringelnatter";

interface Flags {
  readonly certificate: string;
  readonly key: string;
  readonly service: readonly string[];
}

const pair = ({ certificate, key }: Flags) => ["--certificate", certificate, "--private-key", key];
const unlock = ["--pkcs8-password", "env:WORD"];

/** Correct and wrong uses of a key file; `env` names the file in another variable. */
const USES: Readonly<Record<string, (flags: Flags) => readonly string[]>> = {
  "sign-string": (f) => ["sign-string", "--debug", ...pair(f), ...unlock],
  "credential-process": (f) => [
    ...["credential-process", "--debug", ...pair(f), ...unlock, ...f.service],
  ],
  "doctor": (f) => ["doctor", "--debug", ...pair(f), ...unlock, ...f.service],
  "doctor --json": (f) => ["doctor", "--json", ...pair(f), ...f.service],
  "update": (f) => ["update", "--once", "--debug", ...pair(f), ...unlock, ...f.service],
  "serve": (f) => ["serve", "--port=0", "--debug", ...pair(f), ...unlock, ...f.service],
  "configure": (f) => ["configure", ...pair(f), ...f.service],
  "as certificate": (f) => ["read-certificate-data", "--debug", "--certificate", f.key],
  "as intermediates": (f) => [
    ...["credential-process", "--debug", "--certificate", f.certificate, "--private-key", f.key],
    ...["--intermediates", f.key, ...unlock, ...f.service],
  ],
  "as CA bundle": (f) => [
    ...["credential-process", "--debug", ...pair(f), ...unlock, ...f.service],
    ...["--ca-bundle", f.key],
  ],
  "as selector": (f) => ["sign-string", "--cert-selector", `file://${f.key}`],
  "as PKCS#11 module": (f) => ["sign-string", "--private-key=pkcs11:", "--pkcs11-lib", f.key],
};
/** Number of uses for each damage; they rotate. */
const USES_PER_FILE = 2;

Deno.test("no command repeats contents of a private key file, intact or damaged", async (t) => {
  await using scenario = await SessionScenario.create();
  using cage = new CanaryCage();
  let use = 0;
  const outcomes = new Map<string, number>();
  for (const [container, make] of Object.entries(CANARY_KEYS)) {
    await t.step(container, async () => {
      const { certificatePath, bytes, secrets } = await make(scenario, PASSPHRASE);
      secrets.addText("the passphrase", PASSPHRASE);
      const tasks = Object.entries(DAMAGES).flatMap(([damage, apply]) => {
        const name = `${container} ${damage}`.replace(/\W+/g, "-");
        const key = cage.directory.write(`keys/${name}`, damaged(bytes, apply));
        return Array.from({ length: USES_PER_FILE }, () => {
          const uses = Object.entries(USES);
          const [what, argsOf] = uses[use++ % uses.length] ?? ["", () => []];
          const args = argsOf({
            certificate: certificatePath,
            key,
            service: scenario.serviceFlags,
          });
          const env = {
            WORD: PASSPHRASE,
            TPM2TOOLS_TCTI: "swtpm:host=127.0.0.1,port=1",
            // Not the run's folder: the file contains the session on purpose.
            AWS_SHARED_CREDENTIALS_FILE: cage.directory.join(`credentials-${use}`),
          };
          return async () => {
            const run = { args, env, ...(args[0] === "serve" ? { seconds: 2 } : {}) };
            const { code } = await cage.run(run, secrets);
            const outcome = `${what} ${code === 0 ? "succeeded" : "failed"}`;
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          };
        });
      });
      await twoAtATime(tasks);
    });
  }
  await t.step(`${cage.runs} runs`, () => {
    assertGreater(cage.runs, 300);
    for (const what of ["sign-string", "credential-process", "doctor", "update"]) {
      for (const how of ["succeeded", "failed"]) {
        assertGreater(outcomes.get(`${what} ${how}`) ?? 0, 0, `${what} ${how}`);
      }
    }
  });
});

Deno.test("no command repeats a key that is given instead of its path", async () => {
  await using scenario = await SessionScenario.create();
  using cage = new CanaryCage();
  const service = scenario.serviceFlags;
  for (const container of ["PKCS#8", "PKCS#1", "encrypted PKCS#8"]) {
    const make = CANARY_KEYS[container];
    if (!make) throw new Error(container);
    const { certificatePath, bytes, secrets } = await make(scenario, PASSPHRASE);
    const text = new TextDecoder().decode(bytes);
    const forms = [text, text.replaceAll("\n", ""), text.replace(/-----[^-]*-----|\n/g, "")];
    const commands = ["sign-string", "credential-process", "doctor", "update"];
    await twoAtATime(forms.flatMap((form) =>
      commands.map((command) => async () => {
        const flags = command === "sign-string" ? [] : service;
        const more = ["--certificate", certificatePath, ...flags];
        const asFlag = [command, "--private-key", form, ...more];
        const asVariable = { AWS_SIGNING_HELPER_PRIVATE_KEY: form };
        const codes = [
          (await cage.run({ args: asFlag }, secrets)).code,
          (await cage.run({ args: [command, ...more], env: asVariable }, secrets)).code,
          (await cage.run({ args: [command, `file:${form}`, ...more] }, secrets)).code,
        ];
        assertEquals(codes.includes(0), false, `${command}: ${codes}`);
      })
    ));
  }
});
