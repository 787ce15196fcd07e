/**
 * Third-party PKCS#11 modules: NSS, TPM, opencryptoki, YubiKey and OpenSC without a reader, p11-kit over a
 * socket, and OpenSC's spy. openssl verifies each signature.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decodeHex } from "@std/encoding/hex";
import { BINARY, type Result, runBinary, runProgram } from "../support/binary.ts";
import { createAuthority, issueCertificate, type KeyType } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { giveToOther, OtherUser } from "../support/other_user.ts";
import { SOFTHSM } from "../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../support/soft_hsm.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testMessage } from "../support/test_message.ts";
import { SoftwareTpm } from "../support/tpm/software_tpm.ts";

const LIBRARIES = `/usr/lib/${Deno.build.arch}-linux-gnu`;
const SIGNATURE = /^"([0-9a-f]+)"\n$/;

/** Makes a certificate with its key. */
async function makeMachine(directory: TemporaryDirectory, keyType: KeyType = "ec-p256") {
  const authority = await createAuthority(directory, { subject: "/CN=Authority" });
  return await issueCertificate(authority, { subject: "/CN=machine", keyType });
}

/** Asserts that a run of sign-string printed a signature of the certificate's key, and nothing else. */
async function assertSigned(
  { code, stdout, stderr }: Result,
  certificatePath: string,
  directory: TemporaryDirectory,
): Promise<void> {
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const hex = SIGNATURE.exec(stdout)?.[1] ?? "";
  const publicKey = await openssl(["x509", "-in", certificatePath, "-noout", "-pubkey"]);
  const pem = new TextDecoder().decode(publicKey);
  const args = [
    ...["dgst", "-sha256", "-verify", directory.write("public.pem", pem)],
    ...["-signature", directory.write("signature", decodeHex(hex))],
  ];
  const verified = await openssl(args, { stdin: testMessage(pem) });
  assertEquals(new TextDecoder().decode(verified), "Verified OK\n");
}

async function script(
  text: string,
  env: Readonly<Record<string, string>>,
  prefix: readonly string[] = [],
): Promise<string> {
  const [command = "sh", ...args] = [...prefix, "sh", "-eu", "-c", text];
  const { code, stdout, stderr } = await runProgram(command, args, { env: { ...env, BINARY } });
  if (code !== 0) throw new Error(`${stderr}${stdout}`);
  return stdout;
}

testWith(
  ["binary", "softhsm", "other-user", "program:certutil"],
  "sign-string signs with a key of an NSS database through p11-kit",
  async () => {
    using directory = new TemporaryDirectory();
    const machine = await makeMachine(directory);
    const home = directory.join("home");
    const database = `${home}/nss`;
    directory.write(
      "home/.config/pkcs11/modules/nss.module",
      `module: ${LIBRARIES}/libsoftokn3.so\n` +
        `x-init-reserved: configdir='sql:${database}' certPrefix='' keyPrefix='' ` +
        "secmod='secmod.db' flags=readOnly\n",
    );
    await script(
      `mkdir "$DATABASE"
      openssl pkcs12 -export -inkey "$KEY" -in "$CERTIFICATE" -name machine -out "$DIR/m.p12" -passout pass:x
      printf 'geheimnis\\n' >"$DIR/pw"
      certutil -N -d "sql:$DATABASE" -f "$DIR/pw"
      pk12util -i "$DIR/m.p12" -d "sql:$DATABASE" -k "$DIR/pw" -W x`,
      {
        DATABASE: database,
        KEY: machine.keyPath,
        CERTIFICATE: machine.certificatePath,
        DIR: directory.path,
      },
    );
    await giveToOther(home);
    Deno.chmodSync(directory.path, 0o755);
    using other = new OtherUser(); // p11-kit ignores root's own configuration
    const uri = "pkcs11:token=NSS%20Certificate%20DB;object=machine?pin-value=";
    const sign = (pin: string) =>
      other.run(["sign-string", "--certificate", `${uri}${pin}`], { env: { HOME: home } });
    await assertSigned(await sign("geheimnis"), machine.certificatePath, directory);
    const wrong = await sign("falsch");
    assertEquals([wrong.code, wrong.stdout], [3, ""]);
    assertMatch(wrong.stderr, /^aws_signing_helper: pin-value: this is not the PIN .*\n$/);
  },
);

testWith(
  [
    ...["binary", "softhsm", "swtpm", "tss2", "tabrmd", "root"] as const,
    ...["program:tpm2_ptool", "program:tpm2-abrmd", "program:dbus-run-session"] as const,
  ],
  "sign-string signs with tpm2-pkcs11 over tpm2-abrmd, without output of theirs",
  async () => {
    using directory = new TemporaryDirectory();
    const authority = await createAuthority(directory, { subject: "/CN=Authority" });
    await using tpm = await SoftwareTpm.start();
    const printed = await script(
      `cd "$DIR" && mkdir store
      tpm2-abrmd --session --allow-root "--tcti=$TCTI" >abrmd.log 2>&1 & daemon=$!
      trap 'kill $daemon; wait $daemon || true' EXIT
      export TPM2_PKCS11_TCTI=tabrmd:bus_type=session TPM2TOOLS_TCTI=tabrmd:bus_type=session
      export TPM2_PKCS11_STORE="$DIR/store"
      for i in $(seq 600); do tpm2_getcap handles-transient >/dev/null 2>&1 && break; sleep 0.1; done
      exec 3>&1 >log 2>&1
      tpm2_ptool init --path store
      tpm2_ptool addtoken --pid 1 --label tpm --userpin 123456 --sopin 87654321 --path store
      tpm2_ptool addkey --algorithm ecc256 --label tpm --userpin 123456 --key-label machine --path store
      pkcs11-tool --module "$MODULE" --token-label tpm --login --pin 123456 --read-object \\
        --type pubkey --label machine -o pub.der
      openssl x509 -new -force_pubkey pub.der -CA "$CA" -CAkey "$CA_KEY" -subj /CN=tpm -days 9 -out tpm.pem
      tpm2_ptool addcert --label tpm --key-label machine --path store tpm.pem
      for pin in 123456 999999; do
        "$BINARY" sign-string --certificate "pkcs11:token=tpm;object=machine?pin-value=$pin" \\
          --pkcs11-lib "$MODULE" >"out$pin" 2>"err$pin" || true
      done
      tpm2_getcap handles-transient >&3`,
      {
        DIR: directory.path,
        TCTI: tpm.tcti,
        CA: authority.certificatePath,
        CA_KEY: authority.keyPath,
        MODULE: `${LIBRARIES}/pkcs11/libtpm2_pkcs11.so`,
        HOME: directory.path,
      },
      ["dbus-run-session", "--"],
    );
    assertEquals(printed, "");
    const text = (name: string) => Deno.readTextFileSync(directory.join(name));
    const stdout = text("out123456");
    const result = { code: 0, stdout, stdoutBytes: new Uint8Array(), stderr: text("err123456") };
    await assertSigned(result, directory.join("tpm.pem"), directory);
    assertEquals(text("out999999"), "");
    assertMatch(
      text("err999999"),
      /^aws_signing_helper: pin-value: this is not the PIN .*\n$/,
    );
  },
);

testWith(
  ["binary", "softhsm", "root", "mount-namespace", "program:pkcsslotd"],
  "sign-string signs with opencryptoki's soft token",
  async () => {
    using directory = new TemporaryDirectory();
    const machine = await makeMachine(directory, "rsa-2048"); // it has no ECDSA
    await script(
      `mount -t tmpfs tmpfs /var/lib/opencryptoki
      mount -t tmpfs tmpfs /run
      folders="/run/opencryptoki /run/lock/opencryptoki/swtok /var/lib/opencryptoki/swtok/TOK_OBJ"
      mkdir -p $folders
      chgrp -R pkcs11 /var/lib/opencryptoki /run/opencryptoki /run/lock/opencryptoki
      chmod -R 770 /var/lib/opencryptoki /run/lock/opencryptoki
      cd "$DIR"
      exec 3>&1 >log 2>&1
      pkcsslotd -f & daemon=$!
      trap 'kill $daemon; wait $daemon || true' EXIT
      for i in $(seq 600); do pkcsconf -t >/dev/null 2>&1 && break; sleep 0.1; done
      echo soft | pkcsconf -I -c 3 -S 87654321
      pkcsconf -P -c 3 -S 87654321 -n 76543210
      pkcsconf -u -c 3 -S 76543210 -n 12345678
      pkcsconf -p -c 3 -U 12345678 -n 123456
      openssl pkcs8 -topk8 -nocrypt -in "$KEY" -outform DER -out key.der
      openssl x509 -in "$CERTIFICATE" -outform DER -out certificate.der
      write() {
        pkcs11-tool --module "$MODULE" --token-label soft --login --pin 123456 --id 01 --label machine "$@"
      }
      write --write-object key.der --type privkey --usage-sign
      write --write-object certificate.der --type cert
      for pin in 123456 1; do
        "$BINARY" sign-string --certificate "pkcs11:token=soft;object=machine?pin-value=$pin" \\
          --pkcs11-lib "$MODULE" >"out$pin" 2>"err$pin" || true
      done`,
      {
        DIR: directory.path,
        KEY: machine.keyPath,
        CERTIFICATE: machine.certificatePath,
        MODULE: `${LIBRARIES}/libopencryptoki.so.0`,
      },
      ["unshare", "--mount"],
    );
    const text = (name: string) => Deno.readTextFileSync(directory.join(name));
    const stdout = text("out123456");
    const result = { code: 0, stdout, stdoutBytes: new Uint8Array(), stderr: text("err123456") };
    await assertSigned(result, machine.certificatePath, directory);
    // A PIN whose length the token does not accept.
    assertEquals(text("out1"), "");
    assertMatch(text("err1"), /^aws_signing_helper: pin-value: this is not the PIN .*\n$/);
  },
);

/** Makes a SoftHSM token with a certificate and its key. */
async function softToken() {
  const hsm = new SoftHsm();
  const machine = await makeMachine(hsm.directory);
  const token = await hsm.token("soft");
  await token.importKey(machine.keyPath, { id: "01", label: "machine" });
  await token.importCertificate(machine.certificatePath, { id: "01", label: "machine" });
  return { hsm, machine };
}

const MACHINE = `pkcs11:object=machine?pin-value=${PIN}`;

testWith(
  ["binary", "softhsm", "p11-kit-proxy"],
  "sign-string signs through p11-kit's client and server",
  async () => {
    const { hsm, machine } = await softToken();
    using _ = hsm;
    const socket = hsm.directory.join("server");
    const started = await script(
      // A daemon that keeps the pipes it was started with would never let the script end.
      'p11-kit server --provider "$PROVIDER" -n "$SOCKET" "pkcs11:" >"$SOCKET.out" 2>&1; cat "$SOCKET.out"',
      { ...hsm.env, PROVIDER: SOFTHSM, SOCKET: socket },
    );
    const pid = Number(/P11_KIT_SERVER_PID=(\d+)/.exec(started)?.[1]);
    try {
      const args = [
        "--certificate",
        MACHINE,
        "--pkcs11-lib",
        `${LIBRARIES}/pkcs11/p11-kit-client.so`,
      ];
      const signed = await runBinary(["sign-string", ...args], {
        env: { P11_KIT_SERVER_ADDRESS: `unix:path=${socket}` },
      });
      await assertSigned(signed, machine.certificatePath, hsm.directory);
    } finally {
      Deno.kill(pid, "SIGTERM");
    }
  },
);

testWith(["binary", "softhsm"], "sign-string signs through OpenSC's pkcs11-spy", async () => {
  const { hsm, machine } = await softToken();
  using _ = hsm;
  const log = hsm.directory.join("spy.log");
  const signed = await runBinary(
    ["sign-string", "--certificate", MACHINE, "--pkcs11-lib", `${LIBRARIES}/pkcs11-spy.so`],
    { env: { ...hsm.env, PKCS11SPY: SOFTHSM, PKCS11SPY_OUTPUT: log } },
  );
  await assertSigned(signed, machine.certificatePath, hsm.directory);
  const calls: string[] = Deno.readTextFileSync(log).match(/C_[A-Za-z]+/g) ?? [];
  assertEquals(calls.filter((name) => name === "C_Sign").length, 1);
  assert(calls.includes("C_Finalize"));
});

for (const library of ["libykcs11.so.2", "opensc-pkcs11.so"]) {
  testWith(
    ["binary", "softhsm", ...library.startsWith("libyk") ? ["ykcs11"] as const : []],
    `sign-string reports what ${library} cannot do without a reader, and goes on without it`,
    async () => {
      const { hsm, machine } = await softToken();
      using _ = hsm;
      const named = await runBinary(
        ["sign-string", "--certificate", MACHINE, "--pkcs11-lib", `${LIBRARIES}/${library}`],
        { env: hsm.env },
      );
      assertEquals([named.code, named.stdout, named.stderr.split("\n").length], [3, "", 2]);
      // No module is named: whichever fails, SoftHSM has the object.
      const found = await runBinary(["sign-string", "--certificate", MACHINE], { env: hsm.env });
      await assertSigned(found, machine.certificatePath, hsm.directory);
      const absent = await runBinary([
        "sign-string",
        "--certificate",
        `pkcs11:object=absent?pin-value=${PIN}`,
      ], {
        env: hsm.env,
      });
      assertEquals([absent.code, absent.stdout, absent.stderr.split("\n").length], [3, "", 2]);
      assertStringIncludes(absent.stderr, "pkcs11:object=absent");
    },
  );
}
