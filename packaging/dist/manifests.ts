/**
 * Manifests for package managers: a Homebrew formula, three manifests for winget and one for scoop.
 * Their source is the checksums of the binaries. Pure.
 *
 * @module
 */
import { PROGRAM } from "../../src/cli/program.ts";
import { VERSION } from "../../src/cli/commands/version.ts";
import { fileNameOf, TARGETS } from "../targets.ts";

/** Data in all manifests. */
export interface ReleaseData {
  /** URL of the folder with the release's files, without a trailing slash. */
  readonly url: string;
  /** Hex SHA-256 by the file's name. */
  readonly sums: ReadonlyMap<string, string>;
  readonly date: Date;
}

/** One line on the program, for packages and images. */
export const DESCRIPTION =
  "Temporary AWS credentials from an X.509 certificate (IAM Roles Anywhere)";
/** SPDX identifier of the program's license. */
export const LICENSE = "Apache-2.0";
const WINGET_ID = "AwsSigningHelper.AwsSigningHelper";
const WINGET_SCHEMA = "1.6.0";

/** Returns all files by their path in the release's folder. */
export function packageManifests(data: ReleaseData): ReadonlyMap<string, string> {
  const winget = `winget/${WINGET_ID}`;
  return new Map([
    [`homebrew/${PROGRAM}.rb`, homebrewFormula(data)],
    [`scoop/${PROGRAM}.json`, scoopManifest(data)],
    [`${winget}.yaml`, wingetVersion()],
    [`${winget}.installer.yaml`, wingetInstaller(data)],
    [`${winget}.locale.en-US.yaml`, wingetLocale(data)],
  ]);
}

function fileOf(
  name: string,
  { url, sums }: ReleaseData,
): { url: string; sum: string; file: string } {
  const target = TARGETS.find((candidate) => candidate.name === name);
  const file = target ? fileNameOf(target) : "";
  const sum = sums.get(file);
  if (!sum) throw new Error(`no binary was built for ${name}`);
  return { url: `${url}/${file}`, sum, file };
}

function homebrewFormula(data: ReleaseData): string {
  const lines = (name: string) => {
    const { url, sum } = fileOf(name, data);
    return `      url "${url}"\n      sha256 "${sum}"`;
  };
  const className = PROGRAM.split("_").map((word) => word[0]?.toUpperCase() + word.slice(1)).join(
    "",
  );
  return `class ${className} < Formula
  desc "${DESCRIPTION}"
  homepage "${data.url}"
  version "${VERSION}"
  license "${LICENSE}"

  on_macos do
    on_arm do
${lines("macos-arm64")}
    end
    on_intel do
${lines("macos-x64")}
    end
  end

  on_linux do
    on_arm do
${lines("linux-arm64")}
    end
    on_intel do
${lines("linux-x64")}
    end
  end

  def install
    bin.install Dir["${PROGRAM}-*"].first => "${PROGRAM}"
    generate_completions_from_executable(bin/"${PROGRAM}", "completions", shells: [:bash, :zsh, :fish])
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/${PROGRAM} version").strip
  end
end
`;
}

function scoopManifest(data: ReleaseData): string {
  const { url, sum } = fileOf("windows-x64", data);
  const manifest = {
    version: VERSION,
    description: DESCRIPTION,
    homepage: data.url,
    license: LICENSE,
    architecture: { "64bit": { url: `${url}#/${PROGRAM}.exe`, hash: sum } },
    bin: `${PROGRAM}.exe`,
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function wingetManifest(type: string, fields: readonly string[]): string {
  return [
    `# yaml-language-server: $schema=https://aka.ms/winget-manifest.${type}.${WINGET_SCHEMA}.schema.json`,
    `PackageIdentifier: ${WINGET_ID}`,
    `PackageVersion: "${VERSION}"`,
    ...fields,
    `ManifestType: ${type}`,
    `ManifestVersion: ${WINGET_SCHEMA}`,
    "",
  ].join("\n");
}

function wingetVersion(): string {
  return wingetManifest("version", ["DefaultLocale: en-US"]);
}

function wingetInstaller(data: ReleaseData): string {
  const { url, sum } = fileOf("windows-x64", data);
  return wingetManifest("installer", [
    "InstallerType: portable",
    "Commands:",
    `  - ${PROGRAM}`,
    `ReleaseDate: ${data.date.toISOString().slice(0, 10)}`,
    "Installers:",
    "  - Architecture: x64",
    `    InstallerUrl: ${url}`,
    `    InstallerSha256: ${sum.toUpperCase()}`,
  ]);
}

function wingetLocale(data: ReleaseData): string {
  return wingetManifest("defaultLocale", [
    "PackageLocale: en-US",
    "Publisher: The aws_signing_helper authors",
    `PackageName: ${PROGRAM}`,
    `PackageUrl: ${data.url}`,
    `License: ${LICENSE}`,
    `ShortDescription: ${DESCRIPTION}`,
  ]);
}
