/** Keys and certificates from variables, descriptors and standard input. */
import {
  assertEquals,
  assertGreaterOrEqual,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";

import { BINARY, QUOTED_BINARY, type Result, runBinary, runProgram } from "../support/binary.ts";
import { issueCertificate } from "../support/certificates.ts";
import { testWith } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { commandAsOther, giveToOther, OtherUser } from "../support/other_user.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Ways to pass contents to the binary: the source, and the run. */
const WAYS: Readonly<
  Record<
    string,
    (
      argsOf: (source: string) => readonly string[],
      contents: Uint8Array,
      env?: Readonly<Record<string, string>>,
    ) => Promise<Result>
  >
> = {
  "a variable": async (argsOf, contents, env = {}) =>
    await runBinary(argsOf("env:INPUT"), {
      env: { ...env, INPUT: new TextDecoder().decode(contents) },
    }),
  "a descriptor": async (argsOf, contents, env = {}) =>
    await withDescriptor("7<", argsOf("fd:7"), contents, env),
  "a descriptor of a pipe": async (argsOf, contents, env = {}) =>
    await runProgram("sh", [
      "-c",
      'exec 8<&0 </dev/null; exec "$0" "$@"',
      BINARY,
      ...argsOf("fd:8"),
    ], {
      env,
      stdin: contents,
    }),
  "standard input": async (argsOf, contents, env = {}) =>
    await runBinary(argsOf("-"), { env, stdin: contents }),
  "a file as standard input": async (argsOf, contents, env = {}) =>
    await withDescriptor("<", argsOf("fd:0"), contents, env),
};

async function withDescriptor(
  redirection: string,
  args: readonly string[],
  contents: Uint8Array,
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  using directory = new TemporaryDirectory();
  return await runProgram("sh", [
    "-c",
    `file=$1; shift; exec "$0" "$@" ${redirection}"$file"`,
    BINARY,
    directory.write("contents", contents),
    ...args,
  ], { env });
}

const PASSPHRASE = "Blindschleiche-17";
const text = (contents: string) => new TextEncoder().encode(contents);

/** Forms in which a key and its certificate are passed. */
const FORMS: Readonly<
  Record<string, (keyPath: string, certificatePath: string) => Promise<Uint8Array>>
> = {
  "PEM": (key) => Promise.resolve(Deno.readFileSync(key)),
  "PEM on one line": (key) =>
    Promise.resolve(text(Deno.readTextFileSync(key).trim().replaceAll("\n", "\\n"))),
  "base64 of PEM": (key) => Promise.resolve(text(encodeBase64(Deno.readFileSync(key)))),
  "base64 of DER": async (key) =>
    text(encodeBase64(await openssl(["pkey", "-in", key, "-outform", "DER"]))),
  "base64 of PKCS#12": async (key, certificate) =>
    text(encodeBase64(
      await openssl([
        ...["pkcs12", "-export", "-in", certificate, "-inkey", key],
        ...["-passout", `pass:${PASSPHRASE}`],
      ]),
    )),
};

for (const [form, make] of Object.entries(FORMS)) {
  testWith(["binary"], `sign-string signs with a key in ${form} from each input`, async () => {
    await using scenario = await SessionScenario.create({ keyType: "rsa-2048" });
    const { keyPath, certificatePath } = scenario.identity;
    const args = (source: string) => ["sign-string", "--format=text", "--private-key", source];
    const expected = await runBinary(args(keyPath));
    assertMatch(expected.stdout, /^[0-9a-f]{512}\n$/);
    const contents = await make(keyPath, certificatePath);
    for (const [way, run] of Object.entries(WAYS)) {
      const { code, stdout, stderr } = await run(
        (source) => [...args(source), "--pkcs8-password=env:WORD"],
        contents,
        { WORD: PASSPHRASE },
      );
      assertEquals({ way, code, stderr, stdout }, {
        way,
        code: 0,
        stderr: "",
        stdout: expected.stdout,
      });
    }
  });
}

testWith(
  ["binary"],
  "credential-process reads certificate, chain and key from one input",
  async () => {
    await using scenario = await SessionScenario.create();
    const { trustAnchor, identity, emulator } = scenario;
    const intermediate = await issueCertificate(trustAnchor, { subject: "/CN=Issuer", ca: true });
    const leaf = await issueCertificate(intermediate, { subject: "/CN=runner" });
    const all = text(leaf.certificatePem + intermediate.certificatePem + leaf.keyPem);
    const combinations: ((source: string) => string[])[] = [
      (source) => ["--certificate", source],
      (source) => ["--certificate", source, "--private-key", source, "--intermediates", source],
      (source) => ["--certificate", leaf.certificatePath, "--private-key", source],
      (source) => [
        ...["--certificate", leaf.certificatePath, "--private-key", leaf.keyPath],
        ...["--intermediates", source],
      ],
    ];
    for (const [i, flags] of combinations.entries()) {
      for (const [way, run] of Object.entries(WAYS)) {
        const { code, stdout, stderr } = await run(
          (source) => [
            "credential-process",
            ...flags(source),
            ...(i === 2 ? ["--intermediates", intermediate.certificatePath] : []),
            ...scenario.serviceFlags,
          ],
          all,
        );
        assertEquals({ way, code, stderr }, { way, code: 0, stderr: "" });
        assertEquals(JSON.parse(stdout).AccessKeyId, emulator.issued.at(-1)?.accessKeyId);
      }
    }
    // The flag's own variable takes the same forms; each source has its own contents.
    const { code, stderr } = await runBinary(["credential-process", ...scenario.serviceFlags], {
      env: {
        AWS_SIGNING_HELPER_CERTIFICATE: "env:CERTIFICATE",
        AWS_SIGNING_HELPER_PRIVATE_KEY: "-",
        AWS_SIGNING_HELPER_INTERMEDIATES: "env:CHAIN",
        CERTIFICATE: identity.certificatePem,
        CHAIN: "",
      },
      stdin: identity.keyPem,
    });
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
  },
);

testWith(
  ["binary"],
  "credential-process --cache finds a session by the contents of an input",
  async () => {
    await using scenario = await SessionScenario.create();
    const { trustAnchor, identity, emulator, directory } = scenario;
    const other = await issueCertificate(trustAnchor, { subject: "/CN=other" });
    const cache = ["--cache", "--cache-dir", directory.join("cache")];
    const args = (source: string) => [
      ...["credential-process", "--certificate", source],
      ...scenario.serviceFlags,
      ...cache,
    ];
    const contents = (files: { certificatePem: string; keyPem: string }) =>
      text(files.certificatePem + files.keyPem);
    const ids = new Set<string>();
    for (const [way, run] of Object.entries(WAYS)) {
      const { code, stdout, stderr } = await run(args, contents(identity));
      assertEquals({ way, code, stderr }, { way, code: 0, stderr: "" });
      ids.add(JSON.parse(stdout).AccessKeyId);
    }
    assertEquals([ids.size, emulator.issued.length], [1, 1]);
    const { stdout } = await runBinary(args("env:INPUT"), {
      env: { INPUT: other.certificatePem + other.keyPem },
    });
    assertEquals(emulator.issued.length, 2);
    assertNotEquals(JSON.parse(stdout).AccessKeyId, [...ids][0]);
    for (const { name } of Deno.readDirSync(directory.join("cache"))) {
      const cached = Deno.readTextFileSync(`${directory.join("cache")}/${name}`);
      assertEquals(/PRIVATE KEY|CERTIFICATE/.test(cached), false, name);
    }
  },
);

testWith(
  ["linux", "binary"],
  "serve and update keep inputs in memory for every refresh",
  async () => {
    await using scenario = await SessionScenario.create({}, { sessionSeconds: 4 });
    const { identity, emulator, directory } = scenario;
    const pkcs12 = directory.write(
      "identity.p12.b64",
      encodeBase64(
        await openssl([
          ...["pkcs12", "-export", "-in", identity.certificatePath, "-inkey", identity.keyPath],
          ...["-passout", `pass:${PASSPHRASE}`],
        ]),
      ),
    );
    const sources: Readonly<Record<string, { flags: string[]; redirection: string }>> = {
      "variables": {
        flags: ["--certificate=env:CERTIFICATE", "--private-key=env:KEY"],
        redirection: "",
      },
      "a descriptor": {
        flags: ["--certificate=fd:5", "--pkcs8-password=env:WORD"],
        redirection: `5< ${pkcs12}`,
      },
      "standard input": {
        flags: [`--certificate=${identity.certificatePath}`, "--private-key=-"],
        redirection: `< ${identity.keyPath}`,
      },
    };
    const env = {
      HOME: directory.path,
      CERTIFICATE: identity.certificatePem,
      KEY: identity.keyPem,
      WORD: PASSPHRASE,
    };
    for (const { flags, redirection } of Object.values(sources)) {
      const all = [...flags, ...scenario.serviceFlags];
      const shell = ["sh", "-c", `exec "$0" "$@" ${redirection}`];
      const before = emulator.issued.length;
      await using update = new RunningBinary(["update", ...all], env, shell);
      for (let i = 0; i < 3; i++) await update.waitForLine(/: wrote \[default\] of /, i);
      update.kill("SIGTERM");
      assertEquals((await update.end()).code, 0);
      for (const line of update.lines) assertMatch(line, /: wrote \[default\] of /);

      assertGreaterOrEqual(emulator.issued.length - before, 3);
      await using serve = new RunningBinary(["serve", "--port=0", ...all], env, shell);
      await serve.waitForLine(/^export /);
      for (let i = 0; i < 2; i++) {
        await serve.waitForLine(/the next refresh is at /, serve.lines.length);
      }
      serve.kill("SIGTERM");
      assertEquals((await serve.end()).code, 0);
      assertEquals(serve.lines.filter((line) => /warning/.test(line)), []);
    }
  },
);

testWith(["binary"], "doctor, selftest and read-certificate-data read inputs", async () => {
  await using scenario = await SessionScenario.create();
  const { identity } = scenario;
  const contents = text(identity.certificatePem + identity.keyPem);
  for (const [way, run] of Object.entries(WAYS)) {
    const doctor = await run(
      (source) => ["doctor", "--certificate", source, ...scenario.serviceFlags],
      contents,
    );
    assertMatch(doctor.stdout, /^ok +key: the key in (env:INPUT|fd:\d|standard input) matches/m);
    assertMatch(doctor.stdout, /^ok +certificate: /m, way);
    assertEquals(/key-in-variable/.test(doctor.stdout), way === "a variable", doctor.stdout);
    const selftest = await run((source) => ["selftest", "--certificate", source], contents);
    assertEquals([selftest.code, selftest.stderr], [0, ""], way);
    assertStringIncludes(selftest.stdout, "Result: passed");
    const data = await run(
      (source) => ["read-certificate-data", "--certificate", source],
      contents,
    );
    assertEquals([data.code, data.stderr, JSON.parse(data.stdout).keyType], [0, "", "EC"], way);
  }
});

testWith(["binary"], "--debug names each input and its size, and nothing of it", async () => {
  await using scenario = await SessionScenario.create();
  const contents = Deno.readFileSync(scenario.identity.keyPath);
  for (const [way, run] of Object.entries(WAYS)) {
    const { stderr } = await run(
      (source) => ["sign-string", "--debug", "--private-key", source],
      contents,
    );
    const name = stderr.replace(/^debug: (.*) has \d+ bytes\n$/, "$1");
    assertMatch(name, /^(env:INPUT|fd:\d|standard input)$/, way);
    assertStringIncludes(stderr, ` has ${contents.length} bytes\n`);
  }
});

testWith(["binary"], "configure refuses descriptors and explains variables", async () => {
  const args = (key: string) => [
    ...["configure", "--certificate", "env:CERTIFICATE", "--private-key", key],
    ...["--intermediates", "env:CHAIN", ...ARN_FLAGS],
  ];
  for (
    const [source, name] of [["fd:3", "fd:3"], ["-", "standard input"], ["fd:0", "standard input"]]
  ) {
    const { code, stdout, stderr } = await runBinary(args(source ?? ""));
    assertEquals([code, stdout], [2, ""]);
    assertEquals(
      stderr,
      `aws_signing_helper: --private-key: ${name} does not exist when an SDK starts the program; ` +
        "use a file or env:NAME\n",
    );
  }
  const { code, stdout, stderr } = await runBinary(args("env:KEY"));
  assertEquals(code, 0);
  assertStringIncludes(
    stdout,
    " --certificate env:CERTIFICATE --private-key env:KEY --intermediates env:CHAIN ",
  );
  assertEquals(
    stderr,
    ["CERTIFICATE", "KEY", "CHAIN"].map((name) =>
      `warning: env:${name} is not stored; set the variable for every program that uses the profile\n`
    ).join(""),
  );
});

testWith(["binary"], "doctor --profile reports a line that names a descriptor", async () => {
  await using scenario = await SessionScenario.create();
  const { directory, identity } = scenario;
  for (const source of ["-", "fd:3"]) {
    const flags = ["--certificate", identity.certificatePath, "--private-key", source];
    const line = [QUOTED_BINARY, "credential-process", ...flags, ...scenario.serviceFlags].join(
      " ",
    );
    const config = directory.write("config", `[default]\ncredential_process = ${line}\n`);
    const { code, stdout } = await runBinary(["doctor", "--profile=default"], {
      env: { AWS_CONFIG_FILE: config },
    });
    assertEquals(code, 1);
    assertMatch(
      stdout,
      /profile-command: .* (fd:3|standard input) does not exist when an SDK starts the program; /,
    );
  }
});

/** Inputs that cannot be used: arguments of `sh`, and the message. */
const REFUSED: Readonly<
  Record<
    string,
    {
      flag: string;
      env?: Record<string, string>;
      redirection?: string;
      message: string;
      code?: number;
    }
  >
> = {
  "a variable that is not set": {
    flag: "--private-key=env:SIGNING_KEY",
    message: "env:SIGNING_KEY is not set; set and export the variable",
  },
  "an empty variable": {
    flag: "--private-key=env:SIGNING_KEY",
    env: { SIGNING_KEY: "" },
    message: "env:SIGNING_KEY is empty; check that this job may read the secret",
  },
  "a variable of the runtime, which is removed": {
    flag: "--private-key=env:HTTPS_PROXY",
    env: { HTTPS_PROXY: "no key" },
    message: "env:HTTPS_PROXY: it is neither PEM nor DER",
  },
  "the key instead of its variable": {
    flag: `--private-key=env:${encodeBase64(new Uint8Array(64).fill(0x30))}`,
    code: 2,
    message: "--private-key: this is the text of a key or certificate, not its path; " +
      "put it in a variable and write env:NAME",
  },
  "a descriptor that is not open": {
    flag: "--private-key=fd:9",
    message: "fd:9 is not open; open it in the shell, for example 9< FILE",
  },
  "a descriptor of the runtime": {
    flag: "--private-key=fd:4",
    message: "fd:4 is not open; open it in the shell, for example 4< FILE",
  },
  "a descriptor without number": {
    flag: "--private-key=fd:key",
    code: 2,
    message: '--private-key: "fd:" takes the number of an open descriptor',
  },
  "a descriptor for writing": {
    flag: "--private-key=fd:9",
    redirection: "9>> file",
    message: "fd:9 cannot be read; open it for reading",
  },
  "the writing end of a pipe": {
    flag: "--private-key=fd:1",
    message: "fd:1 cannot be read; open it for reading",
  },
  "a directory": {
    flag: "--private-key=fd:9",
    redirection: "9< .",
    message: "fd:9 is a directory; open a file in it",
  },
  "a device": {
    flag: "--private-key=fd:9",
    redirection: "9< /dev/zero",
    message: "fd:9 is a device; open a file or a pipe",
  },
  "a directory as standard input": {
    flag: "--private-key=-",
    redirection: "< .",
    message: "standard input is a directory; name a file in it",
  },
  "no standard input": {
    flag: "--private-key=-",
    redirection: "<&-",
    message: "standard input is empty; check what writes to it",
  },
  "too large an input": {
    flag: "--private-key=fd:9",
    redirection: "9< large",
    message: "fd:9 is larger than 4 MiB; check the path",
  },
};

for (
  const [what, { flag, env = {}, redirection = "", message, code = 3 }] of Object.entries(REFUSED)
) {
  testWith(["linux", "binary"], `sign-string refuses ${what}`, async () => {
    using directory = new TemporaryDirectory();
    directory.write("large", new Uint8Array(5 << 20));
    const result = await runProgram(
      "sh",
      ["-c", `exec "$0" sign-string "$1" ${redirection}`, BINARY, flag],
      { env, cwd: directory.path },
    );
    assertEquals([result.code, result.stdout], [code, ""]);
    assertStringIncludes(result.stderr, `aws_signing_helper: ${message}`);
  });
}

testWith(["linux", "binary"], "an input that never ends does not keep the program", async () => {
  using directory = new TemporaryDirectory();
  const fifo = directory.join("fifo");
  await runProgram("mkfifo", [fifo]);
  for (const [source, redirection] of [["fd:9", `9<> ${fifo}`], ["-", `<> ${fifo}`]]) {
    await using run = new RunningBinary(["sign-string", `--private-key=${source}`], {}, [
      "sh",
      "-c",
      `exec "$0" "$@" ${redirection}`,
    ]);
    // A pipe holds 64 KiB: the rest of this is written when the program has read some of it.
    using writer = await Deno.open(fifo, { read: true, write: true });
    const bytes = new Uint8Array(128 << 10);
    for (let sent = 0; sent < bytes.length;) sent += await writer.write(bytes.subarray(sent));
    run.kill("SIGTERM");
    assertEquals([(await run.end()).code, run.lines], [143, []]);
  }
});

testWith(
  ["other-user"],
  "fd: reads a file that only the parent may open, and - one that root opened",
  async () => {
    using other = new OtherUser();
    await using scenario = await SessionScenario.create();
    const { keyPath } = scenario.identity;
    for (const [source, redirection] of [["fd:3", "3<"], ["-", "<"]]) {
      const command = commandAsOther([other.binary, "sign-string", `--private-key=${source}`]);
      const { code, stderr } = await runProgram("sh", [
        "-c",
        `file=$1; shift; exec "$@" ${redirection} "$file"`,
        "sh",
        keyPath,
        ...command,
      ]);
      assertEquals({ source, code, stderr }, { source, code: 0, stderr: "" });
    }
    // A user who is not root also sees the descriptors when core dumps are disabled.
    using directory = new TemporaryDirectory();
    const own = directory.write("key.pem", scenario.identity.keyPem);
    await giveToOther(directory.path);
    const command = commandAsOther([
      ...[
        "sh",
        "-c",
        `exec "$0" sign-string --private-key fd:3 --certificate fd:4 3< "$1" 4< "$1"`,
      ],
      ...[other.binary, own],
    ]);
    const [program = "", ...args] = command;
    const { code, stderr } = await runProgram(program, args);
    // The second input is read after core dumps were disabled: it is a key, not a certificate.
    assertEquals([code, stderr], [
      3,
      "aws_signing_helper: fd:4 holds a private key, but no certificate; name the file that does\n",
    ]);
  },
);
