/**
 * Needs of tests: requirements on the machine, each probed by trying it.
 *
 * ```ts
 * import { testWith } from "../support/needs.ts";
 *
 * testWith(["root", "network-namespace"], "serve listens on port 80", async () => { … });
 * testWith(["program:strace"], "serve reads no file twice", async () => { … });
 * ```
 *
 * If a need is missing, the test is skipped and its name ends with `(not run: NEED: reason)`. The runner
 * lists these skips by reason. `tests/expected_needs` lists the needs that our CI has: a skip because
 * of one of them fails the run there.
 *
 * A new need is one more entry of {@link PROBES}, and one line of `tests/expected_needs` if our CI has it.
 * Any program on PATH is a need without an entry: `program:NAME`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

import { BINARY } from "./binary.ts";
import { BUILD, missingTools } from "./native.ts";
import { reasonAgainstArm64 } from "./arm64.ts";
import { PROXY, SOFTHSM } from "./pkcs11_modules.ts";
import { CLIENT_LIBRARIES, compiledClient, JAVASCRIPT_CLIENT, MOTO, PYTHON } from "./tools.ts";
import { reasonAgainstWine } from "./wine.ts";

/** Script that runs buildah and leaves nothing in /run and /var/lib. */
export const BUILDAH = fileURLToPath(new URL("buildah.sh", import.meta.url));

/** Function that returns the reason why a need is missing, or undefined. */
type Probe = () => string | undefined;

const probeRoot: Probe = () => Deno.uid() === 0 ? undefined : "the tests do not run as root";

/** Variable that allows tests to change the certificate store of this user and machine. */
const MAY_CHANGE_STORES = "AWS_SIGNING_HELPER_TEST_STORES";

function probeSystemStore(os: typeof Deno.build.os): string | undefined {
  if (Deno.build.os !== os) return `this is ${Deno.build.os}`;
  if (Deno.env.get(MAY_CHANGE_STORES) === "1") return undefined;
  return `${MAY_CHANGE_STORES}=1 is not set`;
}

/** The table of needs. */
const PROBES = {
  "linux": () => Deno.build.os === "linux" ? undefined : `this is ${Deno.build.os}`,
  "root": probeRoot,
  /** root can run a program as another user, from a temporary folder that this user reaches. */
  "other-user": () =>
    probeRoot() ??
      shell(`d=$(mktemp -d) && trap 'rm -r "$d"' EXIT && cp /bin/true "$d" && chmod -R 755 "$d"
        setpriv --reuid=65534 --regid=65534 --clear-groups "$d/true"`),
  /** root can make a device node, which some containers forbid. */
  "device-node": () =>
    probeRoot() ??
      shell(`d=$(mktemp -d) && trap 'rm -r "$d"' EXIT && mknod "$d/null" c 1 3`),
  /** A network of its own with a working loopback device. */
  "network-namespace": () =>
    shell("unshare --map-root-user --net setpriv --bounding-set=-net_bind_service true"),
  /** A file system can be mounted where only the test's programs see it. */
  "mount-namespace": () =>
    shell(`d=$(mktemp -d) && trap 'rmdir "$d"' EXIT
      unshare --map-root-user --mount sh -ec 'mount -t tmpfs tmpfs "$1"; umount "$1"' sh "$d"`),
  /** A user who is not root can make namespaces, as bubblewrap does. */
  "user-namespace": () =>
    shell(`if [ "$(id -u)" = 0 ]; then set -- setpriv --reuid=65532 --regid=65532 --clear-groups; fi
      "$@" unshare --map-root-user --mount --pid --ipc --fork true`),
  /** buildah makes a container: it needs namespaces, and / to be a mount point. */
  "buildah": () =>
    probeRoot() ?? shell(`d=$(mktemp -d) && trap 'rm -rf "$d"' EXIT
      HOME=$d sh '${BUILDAH}' --storage-driver vfs --root "$d/r" --runroot "$d/s" from scratch \\
        2>"$d/errors" || { head -n 1 "$d/errors" >&2; exit 1; }`),
  /** root can mount /proc into a root of its own and change to it. */
  "proc-mount": () =>
    probeRoot() ?? shell(`d=$(mktemp -d) && trap 'rmdir "$d"' EXIT
      unshare --mount --propagation private mount -t proc proc "$d"`),
  "ipv6-loopback": () => {
    try {
      Deno.listen({ hostname: "::1", port: 0 }).close();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  },
  /** Packages of Debian 12 can be fetched, as mmdebstrap does. */
  "debian-mirror": () =>
    shell(`d=$(mktemp -d) && trap 'rm -r "$d"' EXIT
      mkdir -p "$d/state/lists/partial" "$d/cache" && chmod 755 "$d" && touch "$d/status"
      keys=/usr/share/keyrings/debian-archive-keyring.gpg
      echo "deb [signed-by=$keys] http://deb.debian.org/debian bookworm-updates main" >"$d/list"
      apt-get -qq update -o Dir::Etc::SourceList="$d/list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State="$d/state" -o Dir::State::status="$d/status" -o Dir::Cache="$d/cache" \
        -o Acquire::Retries=0 -o APT::Update::Error-Mode=any`),
  "binary": () => missingTools(BINARY),
  /** C with openssl, for the doubles of the stores of Windows and macOS. */
  "compiler": () => missingTools("gcc", "/usr/include/openssl/evp.h"),
  /** A program may be traced, which some containers forbid. */
  "strace": () => missingTools("strace") ?? shell("strace -o /dev/null true"),
  "softhsm": () => missingTools(SOFTHSM, "softhsm2-util", "pkcs11-tool", "p11tool", "gcc"),
  "softhsm-module": () => missingTools(SOFTHSM, "softhsm2-util", "openssl"),
  /** The macOS Keychain, which the tests may change. */
  "keychain": () => probeSystemStore("darwin") ?? missingTools("security", "openssl"),
  /** The Windows certificate store, which the tests may change; the machine's store needs an administrator. */
  "windows-store": () => probeSystemStore("windows") ?? missingTools("pwsh", "openssl"),
  "ykcs11": () => missingTools(`/usr/lib/${Deno.build.arch}-linux-gnu/libykcs11.so.2`),
  "p11-kit-proxy": () => missingTools(PROXY),
  /** The library by which programs connect to tpm2-abrmd. */
  "tabrmd": () => missingTools(`/usr/lib/${Deno.build.arch}-linux-gnu/libtss2-tcti-tabrmd.so.0`),
  "tss2": () =>
    ["libtss2-esys.so.0", "libtss2-tctildr.so.0", "libtss2-mu.so.0", "libtss2-rc.so.0"]
      .map((library) =>
        ["/lib", "/lib64", `/lib/${Deno.build.arch}-linux-gnu`].some((folder) =>
            missingTools(`/usr${folder}/${library}`) === undefined
          )
          ? undefined
          : `${library} is not installed`
      ).find((reason) => reason !== undefined),
  "swtpm": () => missingTools("swtpm", "tpm2_createprimary"),
  "python-client": () => missingTools(PYTHON),
  "python-libraries": () => missingTools(CLIENT_LIBRARIES),
  "moto": () => missingTools(MOTO),
  /** s3fs can mount a file system. */
  "fuse": () => missingTools("s3fs") ?? shell("test -w /dev/fuse"),
  /** root can mount a file system that a program of the test serves. */
  "fuse-mount": () => probeRoot() ?? missingTools("python3") ?? shell("test -w /dev/fuse"),
  "javascript-client": () => missingTools(`${JAVASCRIPT_CLIENT}made-from`),
  "go-client": () => compiledClient("go").whyNot,
  "go-v1-client": () => compiledClient("go_v1").whyNot,
  "go-base-client": () => compiledClient("go_base").whyNot,
  "java-client": () => compiledClient("java").whyNot,
  "rust-client": () => compiledClient("rust").whyNot,
  "go-containers": () => compiledClient("go_containers").whyNot,
  "java-containers": () => compiledClient("java_containers").whyNot,
  "spire": () => compiledClient("spire").whyNot,
  "kustomize": () => compiledClient("kustomize").whyNot,
  "prometheus": () => compiledClient("prometheus").whyNot,
  "wine": reasonAgainstWine,
  "arm64-emulator": reasonAgainstArm64,
  "actionlint": () => compiledClient("actionlint").whyNot,
  "image": () => missingTools(`${BUILD}image.stamp`),
} satisfies Readonly<Record<string, Probe>>;

/** A name of the table, or a program on PATH. */
export type Need = keyof typeof PROBES | `program:${string}`;

/** Names of the table. */
export const NEEDS: readonly string[] = Object.keys(PROBES);

/** Variable in which the runner passes the results of its probes on, so that each runs once. */
export const PROBED = "AWS_SIGNING_HELPER_TEST_NEEDS";

/** Results so far: the reason, or null if the machine has it. */
const known = new Map<string, string | null>(
  Object.entries<string | null>(JSON.parse(Deno.env.get(PROBED) ?? "{}")),
);

/** Returns the reason why a need is missing, on one line, or undefined. */
export function whyMissing(need: Need): string | undefined {
  let reason = known.get(need);
  if (reason === undefined) {
    reason = probeOf(need)()?.replaceAll(/\s+/g, " ").replaceAll(/[()]/g, "").trim() ?? null;
    known.set(need, reason);
  }
  return reason ?? undefined;
}

/** Probes the whole table; the result is the value of {@link PROBED}. */
export function probeAll(): string {
  return JSON.stringify(
    Object.fromEntries(Object.keys(PROBES).map((need) => [need, whyMissing(need as Need) ?? null])),
  );
}

/** Defines a test that is skipped, with the reason in its name, if a need is missing. */
export function testWith(
  needs: readonly Need[],
  name: string,
  fn: (context: Deno.TestContext) => Promise<void> | void,
): void {
  for (const need of needs) {
    const reason = whyMissing(need);
    if (reason === undefined) continue;
    Deno.test({ name: `${name} (not run: ${need}: ${reason})`, ignore: true, fn });
    return;
  }
  Deno.test(name, fn);
}

function probeOf(need: Need): Probe {
  const probe = Object.entries<Probe>(PROBES).find(([name]) => name === need)?.[1];
  if (probe) return probe;
  if (!need.startsWith("program:")) throw new Error(`no such need: ${need}`);
  return () => missingTools(need.slice("program:".length));
}

/** Runs a script that tries it. Returns the last line of standard error if it fails. */
function shell(script: string): string | undefined {
  const missing = missingTools("sh");
  if (missing !== undefined) return missing;
  const { success, code, stderr } = new Deno.Command("sh", {
    args: ["-ec", script],
    env: { LC_ALL: "C.UTF-8" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  if (success) return undefined;
  const lines = new TextDecoder().decode(stderr).trim().split("\n");
  return lines.at(-1) || `the probe ended with ${code}`;
}
