import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { TpmError, TSS2_RC } from "../../../plugins/tpm/tss/return_codes.ts";
import { chooseTcti, DeviceBusyError, toConnectionError } from "../../../plugins/tpm/tss/tcti.ts";
import { HelperError } from "../../../src/errors.ts";

type Paths = Readonly<Record<string, "socket" | "device" | "other">>;

const choose = (
  variables: Readonly<Record<string, string>>,
  paths: Paths = {},
  modules: readonly string[] = [],
) =>
  chooseTcti({
    environment: (name) => variables[name],
    fileTypeOf: (path) => paths[path],
    hasModule: (name) => modules.includes(name),
  });

const BOTH: Paths = { "/dev/tpm0": "device", "/dev/tpmrm0": "device" };
const ALL = { TPM_DEVICE: "/dev/tpm9", TPM2TOOLS_TCTI: "swtpm:path=a", TCTI: "mssim:port=1" };
const NINE: Paths = { ...BOTH, "/dev/tpm9": "device" };

for (
  const [name, variables, paths, configuration] of [
    ["TPM_DEVICE if it is set", ALL, NINE, "device:/dev/tpm9"],
    ["TPM2TOOLS_TCTI if TPM_DEVICE is empty", { ...ALL, TPM_DEVICE: "" }, NINE, "swtpm:path=a"],
    [
      "TCTI if the other variables are empty",
      { TCTI: "mssim:port=1", TPM2TOOLS_TCTI: "" },
      BOTH,
      "mssim:port=1",
    ],
    ["the device with the resource manager", {}, BOTH, "device:/dev/tpmrm0"],
    [
      "the device without the resource manager",
      { TCTI: "" },
      { "/dev/tpm0": "device" },
      "device:/dev/tpm0",
    ],
    [
      "the socket of an emulator",
      { TPM_DEVICE: "/run/tpm" },
      { "/run/tpm": "socket", "/run/tpm.ctrl": "socket" },
      "swtpm:path=/run/tpm",
    ],
  ] as const
) {
  Deno.test(`chooseTcti() returns ${name}`, () => {
    assertEquals(choose(variables, paths).configuration, configuration);
  });
}

Deno.test("chooseTcti() throws keystore-unavailable if a TPM is not found", () => {
  for (
    const [variables, paths, message] of [
      [{}, {}, "no TPM found (tried /dev/tpmrm0, /dev/tpm0, tabrmd)"],
      [
        { TPM_DEVICE: "", TPM2TOOLS_TCTI: "", TCTI: "" },
        {},
        "no TPM found (tried /dev/tpmrm0, /dev/tpm0, tabrmd)",
      ],
      [{ TPM_DEVICE: "/dev/tpm9" }, BOTH, "TPM_DEVICE: /dev/tpm9 does not exist"],
      [{ TPM_DEVICE: "/etc/x" }, { "/etc/x": "other" }, "TPM_DEVICE: /etc/x is not a device"],
      ...[
        "device",
        "libtss2-tcti-device.so.0",
        "libtss2-tcti-device.so",
        "tcti-device",
        "pcap:device",
        "/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0.0.0",
      ].map((module) =>
        [
          { TCTI: `${module}:/etc/x` },
          { "/etc/x": "other" },
          "TCTI: /etc/x is not a device",
        ] as const
      ),
      [{ TPM_DEVICE: "/run/tpm" }, { "/run/tpm": "socket" }, "no control socket /run/tpm.ctrl"],
    ] as const
  ) {
    const error = assertThrows(() => choose(variables, paths), HelperError, message);
    assertEquals(error.code, "keystore-unavailable");
  }
});

for (
  const [program, command] of [
    ["socat", "exec socat - UNIX-CONNECT:/run/tpm 2>/dev/null"],
    ["nc", "exec nc -U /run/tpm 2>/dev/null"],
  ] as const
) {
  Deno.test(`chooseTcti() uses ${program} for a socket without a control socket`, () => {
    const paths: Paths = { "/run/tpm": "socket", [`/usr/bin/${program}`]: "other" };
    const variables = { TPM_DEVICE: "/run/tpm", PATH: ":/bin:/usr/bin" };
    assertEquals(choose(variables, paths, ["cmd"]).configuration, `cmd:${command}`);
    assertThrows(() => choose(variables, paths), HelperError, "ln -s");
    assertThrows(
      () => choose({ ...variables, PATH: "/bin" }, paths, ["cmd"]),
      HelperError,
      "libtss2-tcti-cmd and socat",
    );
    const odd = "/run/$(id)";
    assertThrows(
      () => choose({ ...variables, TPM_DEVICE: odd }, { ...paths, [odd]: "socket" }, ["cmd"]),
      HelperError,
      "ln -s",
    );
  });
}

const IO_ERROR = new TpmError("connect", TSS2_RC.TCTI_IO_ERROR);
const device = (path: string, source = "TPM_DEVICE") => ({
  configuration: `device:${path}`,
  source,
});
const throwing = (error: Error) => () => {
  throw error;
};

Deno.test("toConnectionError() returns DeviceBusyError if another program holds the device", () => {
  const failure = toConnectionError(
    device("/dev/tpm0", "/dev/tpm0"),
    IO_ERROR,
    throwing(new Deno.errors.Busy()),
  );
  assert(failure instanceof DeviceBusyError);
  const { code, message } = failure.toHelperError("k.pem");
  assertEquals(code, "keystore-unavailable");
  assertMatch(
    message,
    /^k\.pem: the TPM is busy: another program holds \/dev\/tpm0; try again, or use \/dev\/tpmrm0/,
  );
});

for (
  const [name, error, message] of [
    ["does not exist", new Deno.errors.NotFound(), /TPM_DEVICE: \/dev\/x does not exist/],
    [
      "is not permitted",
      new Deno.errors.PermissionDenied(),
      /TPM_DEVICE: \/dev\/x may not be used by this user; add the user to the group/,
    ],
    [
      "fails otherwise",
      new Error("odd"),
      /TPM_DEVICE: no TPM responds at device:\/dev\/x \(0xA000A\)/,
    ],
  ] as const
) {
  Deno.test(`toConnectionError() returns advice if the device ${name}`, () => {
    assertMatch(toConnectionError(device("/dev/x"), IO_ERROR, throwing(error)).message, message);
  });
}

Deno.test("toConnectionError() names the missing module, and its package", () => {
  const tcti = { configuration: "nosuch:a=b", source: "TCTI" };
  assertMatch(
    toConnectionError(tcti, IO_ERROR).message,
    /^TCTI: the TCTI module "nosuch" \(libtss2-tcti-nosuch\.so\.0\) is not installed; install tpm2-tss/,
  );
});
