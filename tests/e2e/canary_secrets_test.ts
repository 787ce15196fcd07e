import { assert, assertEquals, assertGreater } from "@std/assert";
import {
  type CommandName,
  commandOf,
  flagOf,
  FLAGS,
  variableOf,
} from "../../src/cli/flags/flags.ts";
import { BINARY } from "../support/binary.ts";
import { CanaryCage, type CanaryRun, twoAtATime } from "../support/canary.ts";
import { createAuthority } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { SOFTHSM } from "../support/pkcs11_modules.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import { ARN_FLAGS } from "../support/session_scenario.ts";
import { SoftHsm, SoftToken } from "../support/soft_hsm.ts";
import { runOnTerminal } from "../support/terminal.ts";
import { TpmKeyMaker } from "../support/tpm/key_maker.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";

const RIGHT = "Kreuzotter-4567-Ringelnatter";
const WRONG = "Blindschleiche+8901+Feuersalamander";
const SECRETS = new SecretWindows().addText("the secret", RIGHT).addText("a wrong secret", WRONG);

/** Ways to pass a secret to a flag: arguments, and their environment. */
function sources(
  cage: CanaryCage,
  flag: keyof typeof FLAGS,
  secret: string,
): readonly Required<Pick<CanaryRun, "args" | "env" | "redirection">>[] {
  const path = cage.directory.write(`secret-${secret.length}`, `${secret}\n`);
  const by = (value: string, env = {}, redirection = "") => ({
    ...{ args: [`--${flag}`, value], env, redirection },
  });
  const byVariable = (value: string) => ({
    ...{ args: [], env: { [variableOf(flag)]: value }, redirection: "" },
  });
  return [
    by(secret),
    by(`pass:${secret}`),
    by("env:WORD", { WORD: secret }),
    by(`file:${path}`),
    by("fd:9", {}, `9<'${path}'`),
    byVariable(secret),
    byVariable(`file:${path}`),
    // Mistakes.
    by(`env:${secret}`),
    by(`file:${secret}`),
    by(`fd:${secret}`),
    { args: [`--${flag}x=${secret}`], env: {}, redirection: "" },
    { args: [`--${flag}`, "x", secret], env: {}, redirection: "" },
  ];
}

Deno.test("no command repeats a passphrase from any source", async () => {
  using cage = new CanaryCage();
  const authority = await createAuthority(cage.directory, { subject: "/CN=a" });
  const passout = ["-passout", `pass:${RIGHT}`];
  const pkcs12 = cage.directory.join("key.p12");
  const pkcs8 = cage.directory.join("key.pem");
  const { keyPath, certificatePath } = authority;
  await openssl(["pkcs8", "-topk8", "-in", keyPath, ...passout, "-out", pkcs8]);
  await openssl([
    ...["pkcs12", "-export", "-inkey", keyPath, "-in", certificatePath, ...passout],
    ...["-out", pkcs12],
  ]);
  const codes = new Set<number>();
  const tasks = [pkcs8, pkcs12].flatMap((key) =>
    [RIGHT, WRONG].flatMap((secret) =>
      sources(cage, "pkcs8-password", secret).flatMap(({ args, env, redirection }) =>
        [
          ["sign-string", "--debug", "--private-key", key],
          ["doctor", "--json", "--certificate", certificatePath, "--private-key", key],
          ["configure", "--certificate", certificatePath, "--private-key", key, ...ARN_FLAGS],
        ].map((command) => async () => {
          // configure writes the source into a file, and rejects a secret there.
          const isMistake = args.some((word) => /^(env|file|fd):[KB]|^x$/.test(word));
          if (command[0] === "configure" && isMistake) return;
          const run = { args: [...command, ...args], env, redirection };
          codes.add((await cage.run(run, SECRETS)).code);
        })
      )
    )
  );
  await twoAtATime(tasks);
  assertEquals([0, 1, 2, 3].filter((code) => !codes.has(code)), []);
  assertGreater(cage.runs, 100);
});

Deno.test("no command repeats a PIN from any source", async () => {
  using cage = new CanaryCage();
  using hsm = new SoftHsm();
  const printed = await hsm.run("softhsm2-util", [
    ...["--init-token", "--free", "--label", "canary"],
    ...["--pin", RIGHT, "--so-pin", "87654321"],
  ]);
  const slot = /reassigned to slot (\d+)/.exec(printed)?.[1] ?? "";
  const { keyPath, certificatePath } = await createAuthority(cage.directory, { subject: "/CN=a" });
  await hsm.run("softhsm2-util", [
    ...["--import", keyPath, "--token", "canary", "--pin", RIGHT, "--id", "01", "--label", "key"],
  ]);
  assertEquals(new SoftToken(hsm, "canary", slot).slot, slot);
  const codes = new Set<number>();
  const tasks = [RIGHT, WRONG].flatMap((pin) => {
    const path = cage.directory.write(`pin-${pin.length}`, pin);
    const encoded = encodeURIComponent(pin);
    const good = [
      `?pin-value=${encoded}`,
      `?pin-source=file:${path}`,
      `?pin-source=${path}`,
      "?pin-source=env:WORD",
      `?context-pin-value=${encoded}&pin-source=env:WORD`,
    ];
    const mistakes = [
      `?pin-source=${encoded}`,
      `?pin-source=env:${encoded}`,
      `?pin-valu=${encoded}`,
      `;pin-value=${encoded}`,
      `?pin-value=${encoded}&pin-source=env:WORD`,
      `?context-pin-value=${encoded}&pin-value=${pin}&x`,
    ];
    return [...good, ...mistakes].flatMap((query) => {
      const uri = `pkcs11:token=canary;object=key${query}`;
      const key = ["--certificate", certificatePath, "--private-key", uri];
      return [
        ["sign-string", "--debug", "--private-key", uri],
        ["doctor", "--json", ...key],
        ["credential-process", "--debug", ...key, ...ARN_FLAGS, "--endpoint=http://127.0.0.1:1"],
        ["sign-string", "--private-key", uri.replace("pkcs11", "pcks11")],
        ["sign-string", "--private-key", uri.replace("pkcs11:", "pkcs11;")],
        ["read-certificate-data", "--debug", "--certificate", uri],
        // It prints the given URI, unless it is known to contain a PIN.
        ...(good.includes(query) ? [["configure", ...key, ...ARN_FLAGS]] : []),
      ].map((args) => async () => {
        const env = { ...hsm.env, WORD: pin, PKCS11_MODULE_PATH: SOFTHSM };
        codes.add((await cage.run({ args, env }, SECRETS)).code);
      });
    });
  });
  await twoAtATime(tasks);
  assertEquals([0, 2, 3].filter((code) => !codes.has(code)), []);
  assertGreater(cage.runs, 100);
});

Deno.test("no command repeats a TPM password from any source", async () => {
  using cage = new CanaryCage();
  await using tpm = await SoftwareTpm.start();
  const maker = new TpmKeyMaker(tpm);
  await maker.make(`
    primary p o ecc256:aes128cfb -p ${RIGHT}; tpm2_evictcontrol -Q -C o -c p.ctx 0x81000001
    child key 0x81000001 -P ${RIGHT} -p ${RIGHT} -G ecc256 -a "$SIGN|noda"`);
  const path = maker.tss2("key", { parent: 0x81000001 });
  const codes = new Set<number>();
  for (const secret of [RIGHT, WRONG]) {
    const ofParent = sources(cage, "tpm-parent-password", secret);
    for (const [i, ofKey] of sources(cage, "tpm-key-password", secret).entries()) {
      const parent = ofParent[i === 4 ? 2 : i] ?? ofKey;
      const args = ["sign-string", "--debug", "--private-key", path, ...ofKey.args, ...parent.args];
      const env = { ...tpm.env, ...ofKey.env, ...parent.env };
      const { code } = await cage.run({ args, env, redirection: ofKey.redirection }, SECRETS);
      codes.add(code);
    }
  }
  assertEquals([0, 2, 3].filter((code) => !codes.has(code)), []);
});

Deno.test("the prompt and its errors do not repeat an input", async () => {
  using cage = new CanaryCage();
  const { keyPath } = await createAuthority(cage.directory, { subject: "/CN=a" });
  const key = cage.directory.join("key.pem");
  await openssl(["pkcs8", "-topk8", "-in", keyPath, "-passout", `pass:${RIGHT}`, "-out", key]);
  const question = "key.pem: ";
  const command = [BINARY, "sign-string", "--debug", "--private-key", key];
  for (const answers of [[RIGHT], [WRONG, RIGHT], [WRONG, WRONG, WRONG]]) {
    const dialogue = answers.map((answer) => [question, `${answer}\r`] as const);
    const { stdout, stderr, screen, code } = await runOnTerminal(command, dialogue);
    assertEquals(SECRETS.findIn(`${stdout}\n${stderr}\n${screen}`), undefined);
    assertEquals(code, answers.includes(RIGHT) ? 0 : 3);
  }
});

/** Flags with names and paths as values, which messages show. */
const SHOWN = /path|URI|name|directory|file|folder|USER|UID/i;

Deno.test("no command repeats a secret that was given to a wrong flag or variable", async () => {
  using cage = new CanaryCage();
  const { certificatePath, keyPath } = await createAuthority(cage.directory, { subject: "/CN=a" });
  const identity = ["--certificate", certificatePath, "--private-key", keyPath];
  const commands: readonly CommandName[] = ["serve", "doctor", "sign-string"];
  const tasks = commands.flatMap((command) => {
    const base = [
      command,
      ...identity,
      ...(command === "sign-string" ? [] : [...ARN_FLAGS, "--endpoint=http://127.0.0.1:1"]),
    ];
    const flags = commandOf(command).flags.filter((flag) =>
      !SHOWN.test(`${flagOf(flag).value ?? ""} ${flag}`)
    );
    const runs: CanaryRun[] = [
      ...flags.flatMap((flag) => [
        { args: [...base, `--${flag}=${RIGHT}`] },
        {
          args: base.filter((word) => !word.startsWith(`--${flag}`)),
          env: { [variableOf(flag)]: RIGHT },
        },
      ]),
      { args: [...base, RIGHT] },
      { args: [RIGHT, ...base] },
      { args: [...base, `--${RIGHT}.${RIGHT}`] },
    ];
    return runs.map((run) => () => cage.run({ seconds: 2, ...run }, SECRETS));
  });
  await twoAtATime(tasks);
  assertGreater(cage.runs, 60);
});

Deno.test("serve and credential-process do not repeat a key that was given to --bind or --region", async () => {
  using cage = new CanaryCage();
  const { certificatePath, keyPath } = await createAuthority(cage.directory, { subject: "/CN=a" });
  const key = Deno.readTextFileSync(keyPath);
  const base64 = key.replace(/-----[^-]*-----|\s/g, "");
  // Only the private part: the beginning of the file is in its certificate, too.
  const secrets = new SecretWindows().addText("the key's base64", base64.slice(40));
  const common = ["--certificate", certificatePath, "--private-key", keyPath, ...ARN_FLAGS];
  const service = "--endpoint=http://127.0.0.1:1";
  const secret = `/${base64.slice(48, 88)}`;
  const forms = [key, key.replaceAll("\n", ""), base64, secret];
  for (const form of forms) {
    const region = await cage.run(
      { args: ["credential-process", ...common, service, "--debug", `--region=${form}`] },
      secrets,
    );
    assertEquals(region.code, 2, region.stderr);
    if (form === secret) continue; // short enough to be a path, which is shown
    const bind = await cage.run({ args: ["serve", ...common, service, `--bind=${form}`] }, secrets);
    assert(bind.code !== 0);
  }
});
