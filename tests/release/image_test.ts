import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { tagOf } from "../../packaging/image.ts";
import { VARIANTS } from "../../packaging/image/root.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { runProgram } from "../support/binary.ts";
import { BUILDAH, type Need, testWith } from "../support/needs.ts";
import { blocks } from "../support/documents.ts";
import { makeMountFolder, must, type UnpackedImage, unpackImage } from "../support/release.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

const CLIENT = fileURLToPath(new URL("../clients/python/print_credentials.py", import.meta.url));

/** A user that is not root starts the image in its own namespaces. */
const NEEDS: readonly Need[] = ["image", "other-user", "user-namespace"];

/** Returns the command that starts an image by its configuration, with a read-only root. */
function start(
  { root, process }: UnpackedImage,
  mounts: readonly string[],
  args: readonly string[],
): readonly string[] {
  const { uid, gid } = process.user;
  for (const path of mounts) makeMountFolder(root, path);
  return [
    // The image runs as that user, in its own namespace.
    ...["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "bwrap"],
    ...["--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
    ...["--unshare-user", "--unshare-pid", "--unshare-ipc"],
    ...["--die-with-parent", "--cap-drop", "ALL", "--chdir", process.cwd, "--clearenv"],
    ...process.env.filter((variable) => !variable.startsWith("TERM=")).flatMap((variable) => {
      const [name = "", value = ""] = variable.split(/=(.*)/s);
      return ["--setenv", name, value];
    }),
    ...mounts.flatMap((path) => ["--ro-bind", path, path]),
    ...process.args,
    ...args,
  ];
}

testWith(
  NEEDS,
  "the image runs the program as user 65532, and contains no other program",
  async () => {
    using directory = new TemporaryDirectory();
    const image = await unpackImage(directory, "amd64");
    assertEquals(image.process.user, { uid: 65532, gid: 65532 });
    assertEquals(image.process.args, ["/usr/bin/aws_signing_helper"]);
    const [command = "", ...args] = start(image, [], ["version"]);
    const { code, stdout, stderr } = await runProgram(command, args);
    assertEquals({ code, stdout, stderr }, { code: 0, stdout: `${VERSION}\n`, stderr: "" });
    const runnable = await must("find", [
      image.root,
      "-type",
      "f",
      "-perm",
      "/111",
      "-not",
      "-name",
      "*.so*",
    ]);
    assertEquals(runnable, `${image.root}/usr/bin/aws_signing_helper\n`);
    const special = await must("find", [image.root, "-perm", "/6000"]);
    assertEquals(special, "");
    const roots = Deno.readTextFileSync(`${image.root}/etc/ssl/certs/ca-certificates.crt`);
    assertEquals((roots.match(/BEGIN CERTIFICATE/g) ?? []).length > 100, true);
  },
);

testWith(["image", "buildah"], "buildah loads the image archive", async () => {
  using directory = new TemporaryDirectory();
  const layout = directory.join("layout");
  Deno.mkdirSync(layout);
  await unpackImage(directory, "amd64");
  const [base] = VARIANTS;
  const where = [
    "--storage-driver",
    "vfs",
    "--root",
    directory.join("r"),
    "--runroot",
    directory.join("s"),
  ];
  const source = `oci:${directory.join("layout-amd64")}:${tagOf(base)}`;
  const id = (await must("sh", [BUILDAH, ...where, "pull", "--quiet", source])).trim();
  const { OCIv1 } = JSON.parse(
    await must("sh", [BUILDAH, ...where, "inspect", "--type", "image", id]),
  );
  assertEquals([OCIv1.architecture, OCIv1.os], ["amd64", "linux"]);
  assertEquals(OCIv1.config.User, "65532:65532");
  assertEquals(OCIv1.config.Env, ["PATH=/usr/local/bin:/usr/bin"]);
  assertEquals(OCIv1.config.Labels["org.opencontainers.image.version"], VERSION);
});

testWith(
  ["image", "buildah", "program:busybox"],
  "the README's Dockerfile puts the program into an image with musl, where it runs",
  async () => {
    using directory = new TemporaryDirectory();
    const layout = directory.join("layout-amd64");
    await unpackImage(directory, "amd64");
    const buildah = (...args: readonly string[]) =>
      must("sh", [
        BUILDAH,
        ...["--storage-driver", "vfs"],
        ...["--root", directory.join("r"), "--runroot", directory.join("s")],
        ...args,
      ]);
    const [base] = VARIANTS;
    const name = `aws_signing_helper:${VERSION}`;
    const id = (await buildah("pull", "--quiet", `oci:${layout}:${tagOf(base)}`)).trim();
    await buildah("tag", id, `localhost/${name}`);

    // Alpine's packages are out of reach: musl's loader, and Debian's static busybox as the shell.
    const musl = directory.join("musl");
    await must("mkdir", ["-p", `${musl}/bin`, `${musl}/lib`, `${musl}/tmp`]);
    await must("cp", ["--dereference", "/lib/ld-musl-x86_64.so.1", `${musl}/lib/`]);
    await must("cp", ["/bin/busybox", `${musl}/bin/`]);
    await must("ln", ["-s", "busybox", `${musl}/bin/sh`]);
    directory.write("Musl", "FROM scratch\nCOPY musl /\n");
    // Debian 13's buildah would raise these limits, which not every root may.
    const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
    const run = ["build", "--quiet", "--isolation", "chroot", "--pull-never", ...limits];
    await buildah(
      ...run,
      "--tag",
      "localhost/alpine:3",
      "--file",
      directory.join("Musl"),
      directory.path,
    );

    const [block = ""] = blocks("packaging/README.md", "alpine image");
    assertStringIncludes(block, `--from=${name}`);
    directory.write("Dockerfile", block.replaceAll(/(FROM |--from=)/g, "$1localhost/"));
    const file = directory.join("Dockerfile");
    // Not --quiet: the output of RUN is the program's version.
    const output = await buildah(
      ...run.filter((word) => word !== "--quiet"),
      "--file",
      file,
      directory.path,
    );
    assertStringIncludes(output, `\n${VERSION}\n`);
  },
);

testWith(NEEDS, "boto3 gets credentials by credential_process from the image's root", async () => {
  await using scenario = await SessionScenario.create();
  const { directory } = scenario;
  const image = await unpackImage(directory, "amd64");
  const line = start(image, [directory.path], ["credential-process", ...scenario.flags]);
  await openToImage(directory.path, image);
  const config = directory.write("config", `[default]\ncredential_process = ${line.join(" ")}\n`);
  const { code, stdout, stderr } = await runProgram(PYTHON, [CLIENT], {
    env: { AWS_CONFIG_FILE: config, AWS_EC2_METADATA_DISABLED: "true" },
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertEquals(JSON.parse(stdout).accessKeyId, scenario.emulator.issued[0]?.accessKeyId);
});

testWith(
  NEEDS,
  "boto3 gets credentials from serve in the image's root, and health agrees",
  async () => {
    await using scenario = await SessionScenario.create();
    const { directory } = scenario;
    const image = await unpackImage(directory, "amd64");
    await openToImage(directory.path, image);
    const [command = "", ...args] = start(image, [directory.path], [
      "serve",
      "--port",
      "0",
      ...scenario.flags,
    ]);
    await using server = new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    })
      .spawn();
    const announced = await readUntil(
      server.stderr,
      /export AWS_EC2_METADATA_SERVICE_ENDPOINT=(\S+)\/\n/,
    );
    const endpoint = announced[1] ?? "";
    try {
      const { code, stdout, stderr } = await runProgram(PYTHON, [CLIENT], {
        env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint, AWS_EC2_METADATA_V1_DISABLED: "true" },
      });
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      const { accessKeyId, method } = JSON.parse(stdout);
      assertEquals([accessKeyId, method], [scenario.emulator.issued[0]?.accessKeyId, "iam-role"]);
      const [probe = "", ...args] = start(image, [], ["health", "--port", new URL(endpoint).port]);
      const health = await runProgram(probe, args);
      assertEquals(health.code, 0, health.stderr);
      assertEquals(JSON.parse(health.stdout).status, "ok");
    } finally {
      server.kill("SIGTERM");
      await server.status;
    }
  },
);

/** Makes the test's files readable: root owns them, and the program in the image is not root. */
async function openToImage(path: string, { process }: UnpackedImage): Promise<void> {
  const { uid, gid } = process.user;
  for (const kind of ["certificate-*", "*.pem"]) {
    await must("find", [
      ...[path, "-path", "*/bundle-*", "-prune", "-o", "-name", kind],
      ...["-exec", "chown", "-R", `${uid}:${gid}`, "{}", "+"],
    ]);
  }
}

async function readUntil(
  stream: ReadableStream<Uint8Array>,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const match = pattern.exec(text);
    if (match) return match;
  }
  throw new Error(`ended without ${pattern}: ${text}`);
}

const LIBRARIES: readonly (readonly [suffix: string, scheme: string, library: RegExp])[] = [
  ["-pkcs11", "pkcs11:", /p11-kit-proxy\.so, PKCS#11 Kit Proxy Module \d+\.\d+/],
  ["-tpm", "handle:", /libtss2-esys\.so\.0\.\d+\.\d+/],
];

for (const [suffix, scheme, library] of LIBRARIES) {
  testWith(
    NEEDS,
    `doctor finds the library for ${scheme} in the image ${VERSION}${suffix}`,
    async () => {
      using directory = new TemporaryDirectory();
      const image = await unpackImage(directory, "amd64", suffix);
      const [command = "", ...args] = start(image, [], ["doctor", "--json"]);
      const { stdout } = await runProgram(command, args);
      const { findings } = JSON.parse(stdout);
      const found = findings.filter(({ name, message }: { name: string; message: string }) =>
        name === "library" && message.includes(`(${scheme})`)
      );
      assertEquals(found.length, 1, stdout);
      assertStringIncludes(found[0].message, "/usr/lib/x86_64-linux-gnu/");
      assertEquals(library.test(found[0].message), true);
    },
  );
}
