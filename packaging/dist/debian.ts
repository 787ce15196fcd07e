/**
 * Debian package: binary, man pages, completions, systemd units and licences, by dpkg-deb.
 *
 * @module
 */
import { PROGRAM } from "../../src/cli/program.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { lowestGlibc } from "../base/symbol_versions.ts";
import { fileNameOf, type Target } from "../targets.ts";
import { debianItem, readChanges } from "./changelog.ts";
import { runTool } from "./run_tool.ts";

/** Name of the package. Names in Debian cannot contain underscores. */
const PACKAGE = "aws-signing-helper";

/** Writes the package for a target next to its binary in `dist`; returns the file's name. */
export async function writeDebianPackage(
  { root, dist, target, date }: {
    readonly root: string;
    readonly dist: string;
    readonly target: Target;
    readonly date: Date;
  },
): Promise<string> {
  const tree = await Deno.makeTempDir();
  try {
    const binary = `${dist}/${fileNameOf(target)}`;
    const documents = `usr/share/doc/${PACKAGE}`;
    const files: readonly (readonly [from: string, to: string, mode?: number])[] = [
      [binary, `usr/bin/${PROGRAM}`, 0o755],
      [`${dist}/completions/${PROGRAM}`, `usr/share/bash-completion/completions/${PROGRAM}`],
      [`${dist}/completions/_${PROGRAM}`, `usr/share/zsh/vendor-completions/_${PROGRAM}`],
      [
        `${dist}/completions/${PROGRAM}.fish`,
        `usr/share/fish/vendor_completions.d/${PROGRAM}.fish`,
      ],
      [`${dist}/THIRD-PARTY-LICENSES`, `${documents}/THIRD-PARTY-LICENSES`],
      ...await filesOf(`${dist}/man`, "usr/share/man/man1"),
      ...await filesOf(`${root}packaging/systemd`, "usr/lib/systemd/system", ".service"),
      ...await filesOf(`${root}packaging/systemd`, `${documents}/examples`, ".env"),
      ...await filesOf(`${root}packaging/systemd`, `${documents}/examples`, ".json"),
      ...await filesOf(`${root}packaging/monitoring`, `${documents}/examples/monitoring`),
    ];
    for (const [from, to, mode] of files) await place(from, `${tree}/${to}`, mode ?? 0o644);
    await Deno.writeTextFile(`${tree}/${documents}/copyright`, COPYRIGHT);
    await Deno.writeTextFile(
      `${tree}/${documents}/changelog`,
      changelog(await readChanges(root), date),
    );
    await compress(tree, ["usr/share/man/man1", documents]);
    const glibc = lowestGlibc(await Deno.readFile(binary));
    await Deno.mkdir(`${tree}/DEBIAN`);
    await Deno.writeTextFile(
      `${tree}/DEBIAN/control`,
      control(target.debian ?? "", glibc, await sizeOf(tree)),
    );
    // dpkg-deb keeps times and modes, but needs a flag for owners.
    await runTool("chmod", ["-R", "u=rwX,go=rX", tree]);
    const output = `${PACKAGE}_${VERSION}_${target.debian}.deb`;
    await runTool("dpkg-deb", [
      "--root-owner-group",
      "-Zxz",
      "-z1",
      "--build",
      tree,
      `${dist}/${output}`,
    ], {
      env: { SOURCE_DATE_EPOCH: String(date.getTime() / 1000) },
    });
    return output;
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

async function filesOf(
  from: string,
  to: string,
  suffix = "",
): Promise<(readonly [string, string])[]> {
  const found: (readonly [string, string])[] = [];
  for await (const { name } of Deno.readDir(from)) {
    if (name.endsWith(suffix)) found.push([`${from}/${name}`, `${to}/${name}`]);
  }
  return found.toSorted();
}

async function place(from: string, to: string, mode: number): Promise<void> {
  await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  await Deno.copyFile(from, to);
  await Deno.chmod(to, mode);
}

/** Compresses man pages and long documents (Debian Policy 12.1 and 12.3). */
async function compress(tree: string, folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for await (const { name, isFile } of Deno.readDir(`${tree}/${folder}`)) {
      if (isFile && name !== "copyright") {
        await runTool("gzip", ["-9n", `${tree}/${folder}/${name}`]);
      }
    }
  }
}

/** Returns the size in KiB, as in the field Installed-Size. */
async function sizeOf(tree: string): Promise<string> {
  return (await runTool("du", ["-sk", "--apparent-size", tree])).split(/\s/)[0] ?? "";
}

function control(architecture: string, glibc: string, size: string): string {
  return `Package: ${PACKAGE}
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: The aws_signing_helper authors <aws-signing-helper@localhost>
Installed-Size: ${size}
Depends: libc6 (>= ${glibc}), libgcc-s1 | libgcc1
Recommends: ca-certificates
Suggests: iproute2, p11-kit-modules, libtss2-esys-3.0.2-0, libtss2-tctildr0
Section: admin
Priority: optional
Description: temporary AWS credentials from an X.509 certificate
 Asks IAM Roles Anywhere for a session with a certificate and its private key,
 from a file, a PKCS#11 token or a TPM, and hands the credentials to AWS SDKs
 and the AWS CLI: as credential_process, in the credentials file, or on an
 endpoint that speaks IMDSv2.
 .
 The program needs glibc ${glibc} or later and libgcc_s. It does not run with musl;
 the container image contains the libraries that it needs.
`;
}

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2026 The aws_signing_helper authors
License: Apache-2.0
 On Debian systems the text of this licence is in
 /usr/share/common-licenses/Apache-2.0. Third-party software in the binary is listed
 in THIRD-PARTY-LICENSES.gz in this directory.
`;

function changelog(items: readonly string[], date: Date): string {
  return `${PACKAGE} (${VERSION}) unstable; urgency=medium

${items.map(debianItem).join("\n")}

 -- The aws_signing_helper authors <aws-signing-helper@localhost>  ${
    date.toUTCString().replace("GMT", "+0000")
  }
`;
}
