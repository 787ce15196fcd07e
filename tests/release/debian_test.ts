import { assertEquals, assertStringIncludes } from "@std/assert";

import { debianItem, readChanges } from "../../packaging/dist/changelog.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { DIST, must, ROOT } from "../support/release.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const packageOf = (architecture: string) =>
  `${DIST}/aws-signing-helper_${VERSION}_${architecture}.deb`;

for (const architecture of ["amd64", "arm64"]) {
  Deno.test(`the .deb for ${architecture} declares its dependencies, and lintian finds no error`, async () => {
    const field = async (name: string) =>
      (await must("dpkg-deb", ["--field", packageOf(architecture), name])).trim();
    assertEquals(await field("Architecture"), architecture);
    assertEquals(await field("Version"), VERSION);
    assertStringIncludes(await field("Depends"), "libc6 (>= 2.27), libgcc-s1 | libgcc1");
    assertStringIncludes(await field("Description"), "needs glibc 2.27 or later and libgcc_s");
    const contents = await must("dpkg-deb", ["--contents", packageOf(architecture)]);
    for (const { name } of Deno.readDirSync(`${ROOT}packaging/monitoring`)) {
      assertStringIncludes(contents, `/examples/monitoring/${name}\n`);
    }
    // lintian leaves files in its temporary folder.
    using directory = new TemporaryDirectory();
    const { stdout } = await runProgram("lintian", [
      "--no-cfg",
      "--allow-root",
      "--fail-on=none",
      `--suppress-tags=${ACCEPTED.join(",")}`,
      packageOf(architecture),
    ], { env: { TMPDIR: directory.path } });
    assertEquals(stdout.split("\n").filter((line) => /^[EW]:/.test(line)), []);
  });
}

Deno.test("the .deb's changelog and the release notes have this version's changes", async () => {
  const items = await readChanges(ROOT);
  const notes = Deno.readTextFileSync(`${DIST}/RELEASE_NOTES.md`);
  const inside = "usr/share/doc/aws-signing-helper/changelog.gz";
  using directory = new TemporaryDirectory();
  await must("dpkg-deb", ["--extract", packageOf("amd64"), directory.path]);
  const changelog = await must("gzip", ["-dc", directory.join(inside)]);
  for (const item of items) {
    assertStringIncludes(notes, `- ${item}\n`);
    assertStringIncludes(changelog, `${debianItem(item)}\n`);
  }
});

/** Tags of lintian that are accepted, with the reason. */
const ACCEPTED = [
  "unstripped-binary-or-object", // stripping would remove the program
  "embedded-library", // the runtime is one file by design
  "no-manual-page",
  "initial-upload-closes-no-bugs", // it is not uploaded to Debian
  "bogus-mail-host-in-debian-changelog",
  "bogus-mail-host",
];

testWith(
  ["proc-mount", "debian-mirror"],
  "the .deb installs in a clean Debian, shows man pages and completions, and leaves no trace",
  async () => {
    using directory = new TemporaryDirectory();
    const root = directory.join("root");
    Deno.chmodSync(directory.path, 0o755);
    await must("mmdebstrap", [
      "--quiet",
      "--variant=minbase",
      "--include=man-db,bash-completion",
      "--format=directory",
      "bookworm",
      root,
    ]);
    const inside = (command: string) =>
      // The program needs /proc; the mount ends with the command.
      runProgram("unshare", [
        ...["--mount", "--propagation", "private", "sh", "-c"],
        'mount -t proc proc "$1/proc" && exec chroot "$1" /bin/bash -c "$2"',
        ...["sh", root, command],
      ], {
        env: {
          PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
          DEBIAN_FRONTEND: "noninteractive",
          LC_ALL: "C.UTF-8",
        },
      });
    // Files that apt, dpkg and man's index keep for any package do not belong to this one.
    const listing = async () =>
      (await must("find", [root, "-xdev", "-path", `${root}/var/cache`, "-prune", "-o", "-print"]))
        .split("\n").filter((path) => !/\/var\/(log|lib\/(dpkg|apt))\b/.test(path)).toSorted();
    const before = await listing();

    Deno.copyFileSync(packageOf("amd64"), `${root}/package.deb`);
    const installed = await inside("dpkg --install /package.deb && rm /package.deb");
    assertEquals(installed.code, 0, installed.stderr);
    const version = await inside("aws_signing_helper version");
    assertEquals(version.stdout, `${VERSION}\n`);
    const man = await inside("man aws_signing_helper && man aws_signing_helper-serve");
    assertEquals(man.code, 0, man.stderr);
    assertStringIncludes(man.stdout, "--hop-limit");
    const completed = await inside(`
    source /usr/share/bash-completion/bash_completion
    _completion_loader aws_signing_helper
    COMP_WORDS=(aws_signing_helper serve --hop); COMP_CWORD=2
    _aws_signing_helper
    echo "\${COMPREPLY[@]}"`);
    assertEquals(completed.stdout, "--hop-limit\n", completed.stderr);
    const units = await inside("ls /usr/lib/systemd/system | grep aws-signing-helper");
    assertEquals(units.stdout.trim().split("\n").length, 4);

    const removed = await inside("dpkg --purge aws-signing-helper");
    assertEquals(removed.code, 0, removed.stderr);
    assertEquals(await listing(), before);
  },
);
