/**
 * Root file systems of the container images. They have shared libraries of Debian packages,
 * certificates and a user. The program is the only executable.
 *
 * @module
 */
import { PROGRAM } from "../../src/cli/program.ts";
import { runTool } from "../dist/run_tool.ts";

/** Debian release of the images. */
const SUITE = "bookworm";

/** User of the program, the same as in distroless images. */
export const USER = 65532;

/** Contents of an image in addition to the base. */
export interface Variant {
  /** Suffix of the version in the tag; empty for the base. */
  readonly suffix: "" | "-pkcs11" | "-tpm";
  readonly packages: readonly string[];
  /** Paths to keep of the packages and their dependencies, below the root. */
  readonly files: RegExp;
}

/** All images. The others are built on the base. */
export const VARIANTS: readonly [Variant, ...Variant[]] = [
  {
    suffix: "",
    packages: ["libc6", "libgcc-s1"],
    files: new RegExp(
      "/(ld-linux|ld-2|libc|libm|libdl|libpthread|librt|libresolv|libutil|libnss_dns|libnss_files|" +
        "libgcc_s)[-.][^/]*so|^/lib64|/doc/(libc6|libgcc-s1|gcc-[0-9]+-base)(/copyright)?$",
    ),
  },
  {
    // The proxy module, and the client of a `p11-kit server` outside the container.
    suffix: "-pkcs11",
    packages: ["libp11-kit0", "p11-kit-modules"],
    files: new RegExp(
      "/(libp11-kit|p11-kit-proxy|p11-kit-client|libffi|libtasn1)\\.so|^/usr/share/p11-kit/|" +
        "/doc/(libp11-kit0|p11-kit-modules|libffi8|libtasn1-6)(/copyright)?$",
    ),
  },
  {
    suffix: "-tpm",
    packages: [
      "libtss2-esys-3.0.2-0",
      "libtss2-tctildr0",
      "libtss2-mu0",
      "libtss2-rc0",
      "libtss2-tcti-device0",
    ],
    files: new RegExp(
      "/(libtss2-(esys|sys|mu|rc|tctildr|tcti-device)|libcrypto)\\.so|" +
        "/doc/(libtss2-[a-z0-9.-]+|libssl3)(/copyright)?$",
    ),
  },
];

/**
 * Adds the libraries of a variant's packages and their dependencies below `root`. The packages are
 * extracted, not installed, so that none of their programs run.
 */
export async function writeLibraries(
  { packages, files }: Variant,
  architecture: string,
  root: string,
): Promise<void> {
  const whole = await Deno.makeTempDir();
  try {
    await runTool("mmdebstrap", [
      "--quiet",
      "--variant=extract",
      `--architectures=${architecture}`,
      `--include=${packages.join(",")}`,
      "--format=directory",
      SUITE,
      whole,
    ]);
    const list = await runTool("find", [".", "-not", "-type", "d"], { cwd: whole });
    const kept = list.split("\n").filter((path) => files.test(path.slice(1)));
    await copyFiles(whole, root, kept);
  } finally {
    await Deno.remove(whole, { recursive: true });
  }
}

/** Copies files with their folders and links. */
async function copyFiles(from: string, to: string, files: readonly string[]): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  const archive = await Deno.makeTempFile();
  const list = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(list, files.join("\n"));
    await runTool("tar", ["-C", from, "-cf", archive, "-T", list]);
    await runTool("tar", ["-C", to, "-xpf", archive]);
  } finally {
    await Deno.remove(archive);
    await Deno.remove(list);
  }
}

/** Adds Debian's trusted certificates, users, name services, and folders that programs expect. */
export async function writeSurroundings(root: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.chmod(folder, 0o755); // apt downloads as another user
    await runTool("apt-get", ["-qq", "download", "ca-certificates"], { cwd: folder });
    for await (const { name } of Deno.readDir(folder)) {
      await runTool("dpkg-deb", ["-x", `${folder}/${name}`, `${folder}/whole`]);
    }
    const store = `${folder}/whole/usr/share/ca-certificates/mozilla`;
    const names = (await Array.fromAsync(Deno.readDir(store))).map(({ name }) => name).toSorted();
    const certificates = await Promise.all(names.map((n) => Deno.readTextFile(`${store}/${n}`)));
    await write(`${root}/etc/ssl/certs/ca-certificates.crt`, certificates.join(""));
    const copyright = "usr/share/doc/ca-certificates/copyright";
    await write(`${root}/${copyright}`, await Deno.readTextFile(`${folder}/whole/${copyright}`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  await write(
    `${root}/etc/passwd`,
    `root:x:0:0:root:/root:/nonexistent\nnonroot:x:${USER}:${USER}::/home/nonroot:/nonexistent\n`,
  );
  await write(`${root}/etc/group`, `root:x:0:\nnonroot:x:${USER}:\n`);
  // Runtimes mount their own file over it.
  await write(`${root}/etc/hosts`, "127.0.0.1 localhost\n");
  await write(`${root}/etc/nsswitch.conf`, "passwd: files\ngroup: files\nhosts: files dns\n");
  for (const [home, owner] of [["/root", 0], ["/home/nonroot", USER]] as const) {
    await Deno.mkdir(`${root}${home}`, { recursive: true });
    await Deno.chown(`${root}${home}`, owner, owner);
    await Deno.chmod(`${root}${home}`, 0o700);
  }
  // The path of the program in the image that AWS publishes.
  await Deno.mkdir(`${root}/usr/local/bin`, { recursive: true });
  await Deno.symlink(`/usr/bin/${PROGRAM}`, `${root}/usr/local/bin/${PROGRAM}`);
  // Mount points of runtimes; not all runtimes create them in a read-only file system.
  for (const name of ["dev", "proc", "sys", "tmp"]) await Deno.mkdir(`${root}/${name}`);
  await Deno.chmod(`${root}/tmp`, 0o1777);
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o644);
}
