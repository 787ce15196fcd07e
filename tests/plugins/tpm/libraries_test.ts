import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatInstallCommand, openLibrariesFrom } from "../../../plugins/tpm/tss/libraries.ts";
import { HelperError } from "../../../src/errors.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const PRESENT = {
  loader: "libtss2-tctildr.so.0",
  esys: "libtss2-esys.so.0",
  marshalling: "libtss2-mu.so.0",
  osRelease: () => 'NAME="Debian GNU/Linux"\nID=debian\n',
};

for (const missing of ["loader", "esys", "marshalling"] as const) {
  Deno.test(`openLibrariesFrom() names the package and the install command, and closes the other libraries, without ${missing}`, () => {
    const error = assertThrows(
      () => openLibrariesFrom({ ...PRESENT, [missing]: "libtss2-absent.so.0" }),
      HelperError,
      "a key in a TPM needs libtss2-absent.so.0, which is not installed; install tpm2-tss: apt-get " +
        "install libtss2-esys-3.0.2-0 libtss2-tctildr0 libtss2-tcti-device0",
    );
    assertEquals(error.code, "keystore-unavailable");
  });
}

Deno.test("openLibrariesFrom() reports a broken library", () => {
  using directory = new TemporaryDirectory();
  const esys = directory.write("libtss2-esys.so.0", "not a library");
  const error = assertThrows(
    () => openLibrariesFrom({ ...PRESENT, esys }),
    HelperError,
    "libtss2-esys.so.0, which cannot be loaded",
  );
  assertEquals(error.message.includes("\n"), false);
});

for (
  const [name, osRelease, command] of [
    ["Debian", "ID=debian", "apt-get install"],
    ["Ubuntu", "ID=ubuntu\nID_LIKE=debian", "apt-get install"],
    ["Linux Mint", 'ID=linuxmint\nID_LIKE="ubuntu debian"', "apt-get install"],
    ["Fedora", "ID=fedora", "dnf install tpm2-tss"],
    ["Rocky Linux", 'ID="rocky"\nID_LIKE="rhel centos fedora"', "dnf install tpm2-tss"],
    ["Amazon Linux", 'ID="amzn"\nID_LIKE="fedora"', "dnf install tpm2-tss"],
    ["openSUSE", 'ID="opensuse-leap"\nID_LIKE="suse opensuse"', "zypper install libtss2-esys0"],
    ["Arch Linux", "ID=arch", "pacman -S tpm2-tss"],
  ] as const
) {
  Deno.test(`formatInstallCommand() returns only the command of ${name}`, () => {
    const advice = formatInstallCommand("tabrmd", osRelease);
    assert(advice.includes(command), advice);
    assertEquals(advice.includes(", or "), false);
  });
}

Deno.test("formatInstallCommand() returns several commands for an unknown distribution", () => {
  const advice = formatInstallCommand("swtpm", "ID=nixos");
  for (const command of ["apt-get", "libtss2-tcti-swtpm0", "dnf", "zypper", "pacman"]) {
    assert(advice.includes(command), advice);
  }
});
