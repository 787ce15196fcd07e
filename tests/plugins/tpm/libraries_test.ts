import { assert, assertEquals, assertThrows } from "@std/assert";
import { installWords, openFrom } from "../../../plugins/tpm/tss/libraries.ts";
import { HelperError } from "../../../src/errors.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const PRESENT = {
  loader: "libtss2-tctildr.so.0",
  esys: "libtss2-esys.so.0",
  marshalling: "libtss2-mu.so.0",
  osRelease: () => 'NAME="Debian GNU/Linux"\nID=debian\n',
};

for (const missing of ["loader", "esys", "marshalling"] as const) {
  Deno.test(`openFrom() names package and command, and closes the rest, without ${missing}`, () => {
    const error = assertThrows(
      () => openFrom({ ...PRESENT, [missing]: "libtss2-absent.so.0" }),
      HelperError,
      "a key in a TPM needs libtss2-absent.so.0, which is not installed; install tpm2-tss: apt-get " +
        "install libtss2-esys-3.0.2-0 libtss2-tctildr0 libtss2-tcti-device0",
    );
    assertEquals(error.code, "keystore-unavailable");
  });
}

Deno.test("openFrom() says that a library is broken when it is", () => {
  using directory = new TemporaryDirectory();
  const esys = directory.write("libtss2-esys.so.0", "no library");
  const error = assertThrows(
    () => openFrom({ ...PRESENT, esys }),
    HelperError,
    "which a key in a TPM needs, cannot be loaded",
  );
  assertEquals(error.message.includes("\n"), false);
});

for (
  const [name, osRelease, words] of [
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
  Deno.test(`installWords() gives the command of ${name} alone`, () => {
    const given = installWords("tabrmd", osRelease);
    assert(given.includes(words), given);
    assertEquals(given.includes(", or "), false);
  });
}

Deno.test("installWords() gives several commands for a distribution it does not know", () => {
  const given = installWords("swtpm", "ID=nixos");
  for (const words of ["apt-get", "libtss2-tcti-swtpm0", "dnf", "zypper", "pacman"]) {
    assert(given.includes(words), given);
  }
});
