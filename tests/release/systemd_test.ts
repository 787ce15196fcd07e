import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";

import { BINARY, runProgram } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { testWith } from "../support/needs.ts";
import { must, ROOT } from "../support/release.ts";
import { roleOf, writeRoles } from "../support/roles_scenario.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

const UNITS = [
  "aws-signing-helper-serve.service",
  "aws-signing-helper-metadata.service",
  "aws-signing-helper-roles.service",
  "aws-signing-helper-update@.service",
];
const pathOf = (unit: string) => `${ROOT}packaging/systemd/${unit}`;

for (const unit of UNITS) {
  Deno.test(`systemd-analyze verify accepts ${unit}`, async () => {
    using directory = new TemporaryDirectory();
    const program = directory.join("aws_signing_helper"); // systemd takes no path with blanks
    Deno.symlinkSync(BINARY, program);
    const text = Deno.readTextFileSync(pathOf(unit)).replace(
      "/usr/bin/aws_signing_helper",
      program,
    );
    const copy = directory.write(unit.replace("@", "@somebody"), text, 0o644);
    const { code, stdout, stderr } = await runProgram("systemd-analyze", [
      "verify",
      "--man=no",
      copy,
    ]);
    assertEquals([code, stdout, stderr.replaceAll(/^.*(SO_PASSCRED|No such device).*\n/gm, "")], [
      0,
      "",
      "",
    ]);
  });

  Deno.test(`systemd-analyze security rates the exposure of ${unit} at most 2.5`, async () => {
    const { code, stdout } = await runProgram("systemd-analyze", [
      "security",
      "--no-pager",
      "--offline=yes",
      "--threshold=25",
      pathOf(unit),
    ]);
    assertEquals(code, 0, stdout);
    const exposure = /Overall exposure level for .*: (\d+\.\d+)/.exec(stdout)?.[1];
    assertGreater(2.51, Number(exposure));
  });

  Deno.test(`${unit} allows every system call of a run of its command, which sends READY=1`, async () => {
    await using scenario = await SessionScenario.create();
    const text = Deno.readTextFileSync(pathOf(unit));
    const command = /^ExecStart=\S+ (\w+) /m.exec(text)?.[1] ?? "";
    const trace = scenario.directory.join("trace");
    const more = command === "serve" ? ["--port", "0"] : [];
    // Roles with users, and a token file whose owner changes if root runs the test.
    if (text.includes("--roles")) {
      const [id, file] = [65_534, scenario.directory.join("roles.json")];
      writeRoles(file, [
        roleOf("one", { users: [id], tokenFile: scenario.directory.join("token") }),
      ]);
      more.push("--roles", file);
    }
    const { stdout, stderr } = await runProgram(PYTHON, [
      "-c",
      LISTENER,
      scenario.directory.join("notify"),
      ...["strace", "-f", "-qq", "-o", trace, BINARY, command, ...scenario.flags, ...more],
    ], { env: { AWS_SHARED_CREDENTIALS_FILE: scenario.directory.join("aws/credentials") } });
    assertEquals(stdout, "READY=1\nSTOPPING=1\n0\n", stderr);

    const allowed = await allowedCalls(text);
    const made = new Set(
      [...Deno.readTextFileSync(trace).matchAll(/^\d+ +([a-z_0-9]+)\(/gm)].map(([, name]) => name),
    );
    assertGreater(made.size, 20);
    assertEquals([...made].filter((name = "") => !allowed.has(name) && !TOLERATED.has(name)), []);
  });
}

/** System calls that the runtime can do without: the units refuse them with EPERM. */
const TOLERATED = new Set(["prlimit64", "sched_setaffinity"]);

/**
 * Program that starts a command with a socket like systemd, prints the notifications, and ends it
 * by SIGTERM.
 */
const LISTENER = `
import os, signal, socket, subprocess, sys
path, *command = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
listener.settimeout(60)
child = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": path}, stdout=subprocess.DEVNULL)
print(listener.recv(100).decode())
children = open(f"/proc/{child.pid}/task/{child.pid}/children").read().split()
os.kill(int(children[0]), signal.SIGTERM)
print(listener.recv(100).decode())
print(child.wait(60))
`;

/** Returns the names that SystemCallFilter allows; systemd expands its sets. */
async function allowedCalls(unit: string): Promise<ReadonlySet<string>> {
  const allowed = new Set<string>();
  for (const [, not, sets = ""] of unit.matchAll(/^SystemCallFilter=(~?)(.+)$/gm)) {
    for (const set of sets.split(" ")) {
      for (const name of await callsOf(set)) {
        if (not) allowed.delete(name);
        else allowed.add(name);
      }
    }
  }
  return allowed;
}

async function callsOf(set: string): Promise<string[]> {
  const text = await must("systemd-analyze", ["syscall-filter", "--no-pager", set]);
  const names = text.split("\n").slice(1).map((line) => line.trim())
    .filter((line) => /^@?[a-z_0-9-]+$/.test(line));
  return (await Promise.all(
    names.map((name) => name.startsWith("@") ? callsOf(name) : Promise.resolve([name])),
  )).flat();
}

/** Double that records the units that are enabled; the mount namespace has no systemd. */
const SYSTEMCTL = `#!/bin/sh
[ "$1" = daemon-reload ] || printf '%s\\n' "$*" >> "$FOLDER/systemctl.log"
`;

testWith(
  ["binary", "mount-namespace"],
  "the documented commands put units and files where systemd finds them",
  async () => {
    using directory = new TemporaryDirectory();
    directory.write("bin/sudo", '#!/bin/sh\nexec "$@"\n', 0o755);
    directory.write("bin/systemctl", SYSTEMCTL, 0o755);
    directory.write("certificate.pem", "certificate\n");
    directory.write("key.pem", "key\n");
    Deno.symlinkSync(`${ROOT}packaging`, directory.join("packaging"));
    const document = "packaging/README.md";
    const steps = ["systemd source", "systemd serve", "systemd update", "systemd roles"]
      .flatMap((name) => blocks(document, name));
    // /etc and /usr/local are empty here, and go away with the namespace.
    const script = `mount -t tmpfs tmpfs /etc
      mount -t tmpfs tmpfs /usr/local
      mkdir -p /etc/systemd/system /usr/local/bin
      ln -s "$0" /usr/local/bin/aws_signing_helper
      cd "$FOLDER"
      ${steps.join("\n")}
      find /etc/aws_signing_helper -type f -printf '%m %P\\n' | sort > files
      cat /etc/aws_signing_helper/serve.env > /dev/null
      stat -c '%a %n' /etc/aws_signing_helper-roles.json > roles
      cp /etc/systemd/system/* "$FOLDER/units"
      for unit in aws-signing-helper-serve.service aws-signing-helper-update@build.service \\
        aws-signing-helper-roles.service; do
        systemd-analyze verify --man=no "/etc/systemd/system/$unit" 2>> verified || echo "$unit" >> verified
      done`;
    Deno.mkdirSync(directory.join("units"));
    const { code, stderr } = await runProgram(
      "unshare",
      ["--map-root-user", "--mount", "sh", "-euc", script, BINARY],
      {
        env: {
          PATH: `${directory.join("bin")}:${Deno.env.get("PATH")}`,
          FOLDER: directory.path,
        },
      },
    );
    assertEquals([code, stderr], [0, ""]);
    const read = (name: string) => Deno.readTextFileSync(directory.join(name));
    assertEquals(read("files"), FILES);
    assertEquals(read("roles"), "644 /etc/aws_signing_helper-roles.json\n");
    assertEquals(
      read("systemctl.log"),
      "enable --now aws-signing-helper-serve\nenable --now aws-signing-helper-update@build\n" +
        "disable --now aws-signing-helper-serve\nenable --now aws-signing-helper-roles\n",
    );
    assertEquals(read("verified").replaceAll(/^.*(SO_PASSCRED|No such device).*\n/gm, ""), "");
    for (const unit of UNITS) {
      const text = read(`units/${unit}`);
      assertEquals(/^ExecStart=(\S+)/m.exec(text)?.[1], "/usr/local/bin/aws_signing_helper");
      // Each file that the unit reads is one of those that the commands put there.
      const needed = [...text.matchAll(/(?:EnvironmentFile=|LoadCredential=\S+:)(\S+)/g)]
        .map(([, path = ""]) =>
          path.replace("%i", "build").replace("/etc/aws_signing_helper/", "")
        );
      assertEquals(needed.filter((path) => !FILES.includes(`600 ${path}\n`)), []);
    }
  },
);

/** Files that the commands put below /etc/aws_signing_helper, with their modes. */
const FILES = ["build/certificate.pem", "build/key.pem", "build/update.env"]
  .concat("certificate.pem", "key.pem", "serve.env").map((name) => `600 ${name}\n`).join("");

Deno.test("the units and their example name flags and files that exist", async () => {
  for (const unit of UNITS) {
    const text = await Deno.readTextFile(pathOf(unit));
    assertStringIncludes(text, "Type=notify");
    const loaded = [...text.matchAll(/^LoadCredential=([^:]+):/gm)].map(([, name]) => name);
    const used = [...text.matchAll(/\$\{CREDENTIALS_DIRECTORY\}\/(\S+)/g)].map(([, name]) => name);
    assertEquals(loaded, used);
  }
});
