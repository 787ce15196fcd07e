/** Keys from variables, descriptors and standard input: nothing of them can be seen outside. */
import { assertEquals, assertGreater, assertMatch, assertNotEquals } from "@std/assert";

import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { CanaryCage, twoAtATime } from "../support/canary.ts";
import { CANARY_KEYS, damaged, DAMAGES } from "../support/canary_keys.ts";
import { ExposureWatch, keySecrets } from "../support/exposure.ts";
import { compileC } from "../support/native.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const PASSPHRASE = "Kreuzotter-4567-Ringelnatter";

/** Sources with the shell's redirection; FILE has the contents, and the variable INPUT too. */
const SOURCES: Readonly<Record<string, string>> = {
  "env:INPUT": "",
  "fd:9": '9< "$FILE"',
  "-": '< "$FILE"',
};

/** Ways to use a source. */
const USES: readonly ((source: string, certificate: string) => readonly string[])[] = [
  (key) => ["sign-string", "--debug", "--private-key", key, "--pkcs8-password=env:WORD"],
  (key, certificate) => [
    ...["credential-process", "--debug", "--certificate", certificate, "--private-key", key],
  ],
  (key) => ["credential-process", "--debug", "--cache", "--certificate", key],
  (key, certificate) => ["doctor", "--certificate", certificate, "--private-key", key],
  (key, certificate) => [
    ...["update", "--once", "--debug", "--certificate", certificate, "--private-key", key],
  ],
  (key, certificate) => [
    ...["serve", "--port=0", "--debug", "--certificate", certificate, "--private-key", key],
  ],
  (key) => ["read-certificate-data", "--debug", "--certificate", key],
  (key, certificate) => [
    ...["credential-process", "--certificate", certificate, "--private-key", certificate],
    ...["--intermediates", key],
  ],
  (key, certificate) => ["configure", "--certificate", certificate, "--private-key", key],
];
const WITHOUT_SERVICE = ["sign-string", "read-certificate-data"];

/** The DER forms cannot be in a variable. */
const TEXTS = ["PKCS#8", "encrypted PKCS#8", "key and certificate"];

testWith(["binary"], "no command repeats contents of an input, intact or damaged", async () => {
  await using scenario = await SessionScenario.create();
  using cage = new CanaryCage();
  let uses = 0;
  /** Returns each way of use with each source in turn. */
  const nextUse = () => {
    const round = Math.floor(uses / USES.length);
    const use = USES[uses % USES.length];
    const source = Object.entries(SOURCES)[(uses++ + round) % 3];
    if (!use || !source) throw new Error("no use");
    return [use, source] as const;
  };
  let succeeded = 0;
  for (const container of TEXTS) {
    const { certificatePath, bytes, secrets } =
      await CANARY_KEYS[container]?.(scenario, PASSPHRASE) ?? {};
    if (!certificatePath || !bytes || !secrets) throw new Error(container);
    secrets.addText("the passphrase", PASSPHRASE);
    await twoAtATime(
      Object.entries(DAMAGES).map(([damage, apply]) => async () => {
        const [argsOf, [source, redirection]] = nextUse();
        const contents = damaged(bytes, apply);
        const name = `${container}-${damage}`.replace(/\W+/g, "-");
        const args = argsOf(source, certificatePath);
        const [command = ""] = args;
        const run = {
          args: [...args, ...(WITHOUT_SERVICE.includes(command) ? [] : scenario.serviceFlags)],
          env: {
            FILE: cage.directory.write(`keys/${name}`, contents),
            INPUT: new TextDecoder().decode(contents),
            WORD: PASSPHRASE,
            AWS_SHARED_CREDENTIALS_FILE: cage.directory.join(`credentials-${name}`),
          },
          redirection,
          ...(command === "serve" ? { seconds: 2 } : {}),
        };
        const { code } = await cage.run(run, secrets);
        if (code === 0) succeeded++;
      }),
    );
  }
  assertGreater(cage.runs, 40);
  assertGreater(succeeded, 5);
});

for (const [source, redirection] of Object.entries(SOURCES)) {
  testWith(
    ["linux", "binary", "program:ps"],
    `a key at ${source} is in no process list, environment, folder or core file`,
    async () => {
      await using scenario = await SessionScenario.create({}, { sessionSeconds: 2 });
      const { identity } = scenario;
      const secrets = keySecrets(identity);
      using directory = new TemporaryDirectory();
      const program = directory.join("aws_signing_helper");
      Deno.copyFileSync(BINARY, program);
      Deno.chmodSync(program, 0o755);
      Deno.mkdirSync(directory.join("work"));
      const script = `ulimit -c unlimited; cd "$WORK"; program=$1; shift; shift
        exec "$program" "$@" ${redirection}`;
      // V8 ends by SIGTRAP. A parent may ignore SIGQUIT, and children inherit that.
      for (const signal of ["SIGABRT", "SIGTRAP"] as const) {
        await using watch = new ExposureWatch(program, secrets);
        await using serve = new RunningBinary([
          ...["serve", "--port=0", "--certificate", identity.certificatePath],
          ...["--private-key", source, ...scenario.serviceFlags],
        ], {
          WORK: directory.join("work"),
          TMPDIR: directory.join("work"),
          FILE: identity.keyPath,
          ...(source === "env:INPUT" ? { INPUT: identity.keyPem } : {}),
        }, ["sh", "-c", script, "sh", program]);
        await serve.waitForLine(/^export /);
        // The next session needs the key again.
        await serve.waitForLine(/the next refresh is at /, serve.lines.length);
        // The descriptor is closed, so that the file cannot be read again.
        const isOpen = openFilesOf(serve.pid).includes(identity.keyPath);
        if (source === "fd:9") assertEquals(isOpen, false);
        serve.kill(signal);
        assertNotEquals((await serve.end()).code, 0);
        await watch.check();
        assertGreater(watch.processes, 0);
        watch.checkFiles(directory.join("work"));
      }
      // A command that ends soon has the same protection; here the service never responds.
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using run = new RunningBinary([
        ...["credential-process", "--certificate", identity.certificatePath],
        ...["--private-key", source, ...ARN_FLAGS],
        ...["--endpoint", `http://127.0.0.1:${listener.addr.port}`],
      ], {
        WORK: directory.join("work"),
        FILE: identity.keyPath,
        ...(source === "env:INPUT" ? { INPUT: identity.keyPem } : {}),
      }, ["sh", "-c", script, "sh", program]);
      using connection = await listener.accept();
      const head = new Uint8Array(4096);
      const length = await connection.read(head) ?? 0;
      assertMatch(new TextDecoder().decode(head.subarray(0, length)), /^POST \/sessions/);
      run.kill("SIGABRT");
      assertEquals((await run.end()).code, 134);
      assertEquals([...Deno.readDirSync(directory.join("work"))], []);
    },
  );
}

/** Returns the paths that a process has open; none if only root may see them. */
function openFilesOf(pid: number): string[] {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
      try {
        return [Deno.readLinkSync(`/proc/${pid}/fd/${name}`)];
      } catch (thrown) {
        if (thrown instanceof Deno.errors.NotFound) return []; // closed meanwhile
        throw thrown;
      }
    });
  } catch (thrown) {
    if (Deno.uid() !== 0 && thrown instanceof Deno.errors.PermissionDenied) return [];
    throw thrown;
  }
}

testWith(["linux", "program:sleep"], "the searches find a key that is there", async () => {
  await using scenario = await SessionScenario.create();
  const { identity } = scenario;
  const secrets = keySecrets(identity);
  using directory = new TemporaryDirectory();
  const sleep = Deno.realPathSync("/bin/sleep");
  for (const where of ["argument", "environment", "core file"]) {
    let watch: ExposureWatch | undefined;
    const search = async () => {
      watch = new ExposureWatch(sleep, secrets);
      await runProgram("sh", [
        "-c",
        `ulimit -c unlimited; cd "$WORK"
         ${where === "argument" ? 'sh -c "sleep 1; true" "$KEY"' : "sleep 1"}
         ${where === "core file" ? "sleep 9 & sleep 0.3; kill -ABRT $!; wait" : ""}`,
      ], {
        env: {
          WORK: directory.path,
          [where === "argument" ? "KEY" : "INPUT"]: identity.keyPem,
        },
      });
      return await watch.check().then(() => undefined, (thrown) => thrown);
    };
    // A machine that pauses for a second may end the program before it is searched.
    let error = await search();
    for (let again = 0; again < 5 && error === undefined; again++) error = await search();
    assertEquals(error instanceof Error, true, where);
    if (where !== "core file" || !/^[^|/]/.test(Deno.readTextFileSync(CORE_PATTERN))) continue;
    let found: unknown;
    try {
      watch?.checkFiles(directory.path);
    } catch (thrown) {
      found = thrown;
    }
    assertEquals(found instanceof Error, true, "no core file was written or searched");
  }
});

/** File with the path of core files; a name without a folder is in the working directory. */
const CORE_PATTERN = "/proc/sys/kernel/core_pattern";

testWith(
  ["linux", "binary", "compiler"],
  "a child process inherits neither the variable nor an open descriptor of a key",
  async () => {
    await using scenario = await SessionScenario.create();
    const { identity } = scenario;
    using directory = new TemporaryDirectory();
    const seen = directory.join("seen");
    const source = directory.write(
      "module.c",
      `#include <stdio.h>
       #include <stdlib.h>
       extern char **environ;
       __attribute__((constructor)) static void dump(void) {
         FILE *file = fopen("${seen}", "a");
         for (char **entry = environ; *entry; entry++) fprintf(file, "%s\\n", *entry);
         fclose(file);
       }\n`,
    );
    const module = await compileC("gcc", [source], directory.join("module.so"), [
      "-shared",
      "-fPIC",
    ]);
    const { stderr } = await runBinary([
      ...["sign-string", "--pkcs11-lib", module],
      ...["--certificate", "pkcs11:", "--private-key", "env:INPUT"],
    ], { env: { INPUT: identity.keyPem, OTHER: "is inherited" } });
    const text = Deno.readTextFileSync(seen);
    // Once in the child process that tries the module, perhaps once in the program.
    assertEquals(text.includes("LD_PRELOAD="), true, stderr);
    assertEquals(text.includes("OTHER=is inherited"), true);
    assertEquals([text.includes("INPUT="), keySecrets(identity).findIn(text)], [false, undefined]);
  },
);
