/**
 * Pods as AWS documents them for its helper's image, run unchanged on our image by bubblewrap. They
 * run `serve` and `update` as sidecars, as root and as user 65532.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";

import { testWith } from "../support/needs.ts";
import { makeMountFolder, must, type UnpackedImage, unpackImage } from "../support/release.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { runProgram } from "../support/binary.ts";

/** The settings of a container in a pod. */
interface Pod {
  /** `command`: absent, the image's own. */
  readonly command?: readonly string[];
  /** `args`; the flags that name certificate, role and service follow. */
  readonly args: readonly string[];
  /** `securityContext.runAsUser`. */
  readonly user: 0 | 65532;
  readonly env?: Readonly<Record<string, string>>;
  /** `volumeMounts` of an emptyDir, or of one file in it (`subPath`). */
  readonly volume?: { readonly at: string; readonly subPath?: string };
  /** The file with credentials that must exist at the end, below the volume. */
  readonly writes?: string;
}

const PODS: Readonly<Record<string, Pod>> = {
  "serve as 65532, by the path of AWS's image": {
    command: ["/usr/local/bin/aws_signing_helper"],
    args: ["serve", "--port", "0"],
    user: 65532,
  },
  "serve as root, by name": {
    command: ["aws_signing_helper"],
    args: ["serve", "--port", "0"],
    user: 0,
  },
  "serve by the image's entrypoint": { args: ["serve", "--port", "0"], user: 65532 },
  "update as 65532 into its home": {
    command: ["/usr/local/bin/aws_signing_helper"],
    args: ["update"],
    user: 65532,
    volume: { at: "/home/nonroot/.aws" },
    writes: "credentials",
  },
  "update as root into its home": {
    command: ["/usr/local/bin/aws_signing_helper"],
    args: ["update", "--profile", "default"],
    user: 0,
    volume: { at: "/root/.aws" },
    writes: "credentials",
  },
  "update --once as root, an init container": {
    args: ["update", "--once"],
    user: 0,
    volume: { at: "/root/.aws" },
    writes: "credentials",
  },
  "update into a shared file that a variable names": {
    args: ["update", "--once"],
    user: 65532,
    env: { AWS_SHARED_CREDENTIALS_FILE: "/tmp/shared/credentials" },
    volume: { at: "/tmp/shared" },
    writes: "credentials",
  },
  "update into one file by subPath": {
    args: ["update", "--once"],
    user: 0,
    volume: { at: "/root/.aws/credentials", subPath: "credentials" },
    writes: "credentials",
  },
  "credential-process as 65532": { args: ["credential-process"], user: 65532 },
};

/** Returns the command that starts a pod's container. */
function start(
  { root, process }: UnpackedImage,
  pod: Pod,
  volume: string,
  certificates: string,
  flags: readonly string[],
): readonly string[] {
  const { uid } = process.user;
  const env = [
    // umoci sets HOME for the image's own user. Without it the program reads /etc/passwd.
    ...process.env.filter((variable) => !/^(TERM|HOME)=/.test(variable)),
    ...Object.entries(pod.env ?? {}).map(([name, value]) => `${name}=${value}`),
  ];
  makeMountFolder(root, certificates);
  const mount = pod.volume?.subPath === undefined ? volume : `${volume}/${pod.volume.subPath}`;
  return [
    ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "bwrap"],
    ...["--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
    ...["--unshare-user", "--unshare-pid", "--unshare-ipc"],
    ...["--uid", `${pod.user}`, "--gid", `${pod.user}`],
    ...["--die-with-parent", "--cap-drop", "ALL", "--chdir", process.cwd, "--clearenv"],
    ...env.flatMap((variable) => {
      const [name = "", value = ""] = variable.split(/=(.*)/s);
      return ["--setenv", name, value];
    }),
    ...["--ro-bind", certificates, certificates],
    ...(pod.volume ? ["--bind", mount, pod.volume.at] : []),
    ...(pod.command ?? process.args),
    ...pod.args,
    ...flags,
  ];
}

/** Creates a mount point like a container runtime, and makes the user the owner of the mount. */
async function makeMountPoint({ root, process }: UnpackedImage, { volume }: Pod, folder: string) {
  const { uid } = process.user;
  if (volume && !volume.at.startsWith("/tmp")) {
    const [parent = ""] = /^.*(?=\/)/.exec(volume.at) ?? [];
    Deno.mkdirSync(`${root}${volume.subPath ? parent : volume.at}`, { recursive: true });
    if (volume.subPath) Deno.writeTextFileSync(`${root}${volume.at}`, "");
  }
  if (volume?.subPath) Deno.writeTextFileSync(`${folder}/${volume.subPath}`, "");
  // In the namespace, root and 65532 are both this user.
  const homes = ["root", "home/nonroot"].map((name) => `${root}/${name}`);
  await must("chown", ["-R", `${uid}:${uid}`, folder, ...homes]);
}

for (const [name, pod] of Object.entries(PODS)) {
  testWith(
    ["image", "other-user", "user-namespace"],
    `a pod works unchanged: ${name}`,
    async () => {
      await using scenario = await SessionScenario.create();
      const { directory, identity, serviceFlags } = scenario;
      const image = await unpackImage(directory, "amd64");
      const volume = directory.join("volume");
      Deno.mkdirSync(volume);
      await makeMountPoint(image, pod, volume);
      const { uid } = image.process.user;
      const certificates = directory.join("certs");
      Deno.mkdirSync(certificates);
      const files = ["tls.crt", "tls.key", "ca.crt"].map((file) => `${certificates}/${file}`);
      for (
        const [i, from] of [identity.certificatePath, identity.keyPath, scenario.caBundle].entries()
      ) {
        Deno.copyFileSync(from, files[i] ?? "");
      }
      await must("chown", ["-R", `${uid}:${uid}`, certificates]);
      const flags = [
        ...["--certificate", files[0] ?? "", "--private-key", files[1] ?? ""],
        ...serviceFlags.map((flag) => flag === scenario.caBundle ? files[2] ?? "" : flag),
      ];
      const [command = "", ...args] = start(image, pod, volume, certificates, flags);
      const stays = pod.args[0] === "serve" ||
        (pod.args[0] === "update" && !pod.args.includes("--once"));
      // timeout sends SIGTERM to the container's process, in place of the kubelet.
      const run = stays
        ? await runProgram("timeout", ["--foreground", "-k", "10", "5", command, ...args])
        : await runProgram(command, args);
      if (stays) assertMatch(run.stderr, /Starting server on port|wrote/, run.stderr);
      else assertEquals(run.code, 0, run.stderr);
      assertEquals(scenario.emulator.requests.length, 1);
      if (pod.writes !== undefined) {
        const text = Deno.readTextFileSync(`${volume}/${pod.writes}`);
        assertMatch(text, /\[default\]\naws_access_key_id = ASIA/);
      }
    },
  );
}
