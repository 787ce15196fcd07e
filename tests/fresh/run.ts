// deno-lint-ignore-file no-console -- it prints its progress
/**
 * `make fresh`: make demo and make test on fresh machines. Makes minimal Debian roots and puts the
 * last commit into each. Runs `make demo` and `make test` there under the conditions of {@link
 * ENVIRONMENTS}, and compares the files before and after. Adds a row for each run to
 * build/fresh/results.md.
 *
 * Usage: deno run -A tests/fresh/run.ts [NAME…]; needs root, namespaces, mmdebstrap and git. A run takes
 * about 20 minutes; without names, all run.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

import { HOSTILE } from "./hostile.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const WORK = `${PROJECT}build/fresh`;
const ENTER = fileURLToPath(new URL("enter.sh", import.meta.url));
/** Target to run after `make demo`: `test`, or `check` for a short run. */
const target = Deno.env.get("TARGET") ?? "test";
const INSIDE = fileURLToPath(new URL("inside.sh", import.meta.url));

/** Conditions of a run. */
interface Environment {
  readonly debian: "bookworm" | "trixie";
  /** User who runs make. root installs the packages of tests/README.md in any case. */
  readonly user: "root" | "user";
  readonly checkout: string;
  /** Settings of enter.sh. */
  readonly enter: Readonly<Record<string, string>>;
  /** Variables of make demo and make test. */
  readonly env: Readonly<Record<string, string>>;
  readonly umask?: string;
  readonly makeFlags?: string;
  /** Node.js of this version from npm, in place of Debian's. */
  readonly node?: number;
  /** An earlier commit that is built first in the same folder; it must build in a path with blanks. */
  readonly oldBuild?: string;
}

const ENVIRONMENTS: Readonly<Record<string, Environment>> = {
  container: {
    debian: "bookworm",
    user: "root",
    checkout: "/root/aws_signing_helper",
    enter: { MODE: "chroot", DROP: "-sys_admin" },
    env: {},
  },
  user: {
    debian: "trixie",
    user: "user",
    checkout: "/home/user/aws_signing_helper",
    enter: { MODE: "pivot" },
    env: {},
  },
  odd: {
    debian: "bookworm",
    user: "root",
    checkout: "/srv/mit Leerzeichen/Prüfstand",
    enter: { MODE: "pivot", TMP_SIZE: "200m", IPV6: "no" },
    env: { ...HOSTILE, LANG: "C", LC_NUMERIC: "de_DE.UTF-8", TMPDIR: "/var/tmp/elsewhere" },
    umask: "077",
    makeFlags: "-j4",
    node: 22,
    oldBuild: "168b7b6",
  },
  chroot: {
    debian: "trixie",
    user: "root",
    checkout: "/root/aws_signing_helper",
    enter: { MODE: "chroot" },
    env: {},
  },
};

/** Settings that this machine needs to reach Debian's mirror, npm and PyPI. */
const MACHINE_FILES = [
  "/etc/resolv.conf",
  "/etc/ssl/certs/ca-certificates.crt",
  "/usr/local/share/ca-certificates",
  "/etc/apt/apt.conf.d/99artifact-registry",
];
const MACHINE_VARIABLES = [
  "NODE_EXTRA_CA_CERTS",
  "PIP_CERT",
  "PIP_DEFAULT_TIMEOUT",
  "http_proxy",
  "https_proxy",
  "npm_config_registry",
  "PIP_INDEX_URL",
];

async function main(names: readonly string[]): Promise<void> {
  await Deno.mkdir(WORK, { recursive: true });
  let failed = false;
  for (const name of names) {
    const environment = ENVIRONMENTS[name];
    if (!environment) throw new Error(`no such environment: ${name}`);
    failed = !await runIn(name, environment) || failed;
  }
  Deno.exitCode = failed ? 1 : 0;
}

async function runIn(name: string, environment: Environment): Promise<boolean> {
  const { debian, enter, user } = environment;
  // The branch may move during a run.
  const commit = await readCommit();
  console.log(`== ${name}: ${describe(environment)}`);
  const root = `${WORK}/${name}`;
  await makeRoot(debian, root);
  try {
    await putCheckout(environment.checkout, root, environment.oldBuild ?? commit);
    await Deno.copyFile(INSIDE, `${root}/inside.sh`);
    const variables = Object.entries(environment.env).map(([key, value]) => `${key}='${value}'`);
    const machine = MACHINE_VARIABLES.flatMap((key) => {
      const value = Deno.env.get(key);
      return value === undefined ? [] : [[key, value] as const];
    });
    const log = `${WORK}/${name}.log`;
    const phase = async (what: string, settings: Readonly<Record<string, string>>) => {
      const { code } = await new Deno.Command("sh", {
        args: ["-c", 'exec "$@" >>"$LOG" 2>&1', "sh", "sh", ENTER, root, "sh", "/inside.sh", what],
        clearEnv: true,
        env: {
          PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          HOME: "/root",
          TERM: "dumb",
          LOG: log,
          ...Object.fromEntries(machine),
          ...settings,
          CHECKOUT: environment.checkout,
          RUN_AS: user,
          VARIABLES: variables.join(" "),
          UMASK: environment.umask ?? "022",
          MAKE_FLAGS: environment.makeFlags ?? "",
          TARGET: target,
          NODE: String(environment.node ?? ""),
        },
      }).output();
      console.log(`${what}: ${code}`);
      return code;
    };
    await Deno.writeTextFile(log, "");
    const network = { ...enter, IPV6: "" };
    // Downloads come first, so that the tests themselves do not need a network.
    if (await phase("packages", { ...network, DROP: "" }) !== 0) return false;
    if (environment.oldBuild !== undefined) {
      if (await phase("build", network) !== 0) return false;
      await putCheckout(environment.checkout, root, commit);
    }
    await phase("install", network);
    const code = await phase("test", enter);
    const report = await Deno.readTextFile(`${root}/report`);
    const row = `| ${name} | ${commit} | make ${target}, ${describe(environment)} | ${
      report.trim().replaceAll("\n", " | ")
    } |\n`;
    await Deno.writeTextFile(`${WORK}/results.md`, row, { append: true });
    console.log(row);
    return code === 0;
  } finally {
    await run("rm", ["-rf", root]);
  }
}

function describe(environment: Environment): string {
  const { debian, user, checkout, enter, env, umask, makeFlags, node, oldBuild } = environment;
  return [
    debian,
    user,
    checkout,
    ...Object.entries(enter).map(([key, value]) => `${key}=${value}`),
    ...(Object.keys(env).length > 0 ? [`${Object.keys(env).length} variables`] : []),
    ...(umask === undefined ? [] : [`umask ${umask}`]),
    ...(makeFlags === undefined ? [] : [`make ${makeFlags}`]),
    ...(node === undefined ? [] : [`Node ${node}`]),
    ...(oldBuild === undefined ? [] : [`build/ of ${oldBuild}`]),
  ].join(", ");
}

/** Unpacks a minimal Debian, which is made once, and adds what this machine needs for its network. */
async function makeRoot(debian: string, root: string): Promise<void> {
  const archive = `${WORK}/${debian}.tar`;
  if (!await exists(archive)) {
    await run("mmdebstrap", [
      ...["--quiet", "--variant=minbase", "--format=tar", debian, `${archive}.part`],
    ]);
    await Deno.rename(`${archive}.part`, archive);
  }
  await run("rm", ["-rf", root]);
  await Deno.mkdir(root, { recursive: true });
  await run("tar", ["-xf", archive, "-C", root, "--exclude=./dev/*"]);
  for (const path of MACHINE_FILES) {
    if (!await exists(path)) continue;
    await run("mkdir", ["-p", `${root}${path.replace(/\/[^/]*$/, "")}`]);
    await run("cp", ["-rL", path, `${root}${path}`]);
  }
  // As Debian's installer and Docker write it; mmdebstrap does not.
  await Deno.writeTextFile(
    `${root}/etc/hosts`,
    "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
  );
}

/** Puts a commit's files into the root; files of another commit go, its build stays. */
async function putCheckout(checkout: string, root: string, commit: string): Promise<void> {
  const folder = `${root}${checkout}`;
  await run("mkdir", ["-p", folder]);
  await run("find", [
    folder,
    "-mindepth",
    "1",
    "-maxdepth",
    "1",
    "!",
    "-name",
    "build",
    "-exec",
    "rm",
    "-rf",
    "{}",
    "+",
  ]);
  await run("sh", [
    "-ec",
    'git -C "$1" archive "$2" | tar -x -C "$3"',
    "sh",
    PROJECT,
    commit,
    folder,
  ]);
}

async function readCommit(): Promise<string> {
  const args = ["-C", PROJECT, "rev-parse", "--short", "HEAD"];
  const { success, stdout } = await new Deno.Command("git", { args, stderr: "inherit" }).output();
  if (!success) throw new Error("git rev-parse failed");
  return new TextDecoder().decode(stdout).trim();
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args: [...args], stdout: "inherit" })
    .output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

await main(Deno.args.length > 0 ? Deno.args : Object.keys(ENVIRONMENTS));
