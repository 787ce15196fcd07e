/**
 * Chooses the TCTI (TPM Command Transmission Interface), and explains failed connections.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { formatInstallCommand, hasTctiModule } from "./libraries.ts";
import { formatCode, type TpmError } from "./return_codes.ts";

/** TCTI configuration, and the variable or device it comes from. */
export interface Tcti {
  /**
   * For instance `device:/dev/tpmrm0`. Never empty, because the loader would then try a local port.
   */
  readonly configuration: string;
  /** A variable's name or a path, for messages. */
  readonly source: string;
}

/** Dependencies of {@link chooseTcti}. */
export interface TctiDeps {
  environment(name: string): string | undefined;
  /** Returns the file type of a path; undefined if it does not exist or is not accessible. */
  fileTypeOf(path: string): "socket" | "device" | "other" | undefined;
  /** Returns true if the loader finds the module of a TCTI. */
  hasModule(name: string): boolean;
}

/** Devices in order of preference: with the kernel's resource manager, and without. */
const DEVICES = ["/dev/tpmrm0", "/dev/tpm0"];
const SYSTEM_BUS = "/run/dbus/system_bus_socket";
/** Variables of other programs that hold a TCTI configuration. */
const VARIABLES = ["TPM2TOOLS_TCTI", "TCTI"];

/**
 * A TCTI configuration of the device module, and its device. The loader takes parts of the module's
 * file name and its path. Other modules pass commands on to it (`pcap:device:…`).
 */
const DEVICE_TCTI = /(?:^|[:/])(?:libtss2-)?(?:tcti-)?device(?:\.so(?:\.\d+)*)?:(.+)$/s;

/** The dependencies on this machine. */
export const SYSTEM_DEPS: Pick<TctiDeps, "fileTypeOf" | "hasModule"> = {
  hasModule: hasTctiModule,
  fileTypeOf(path) {
    try {
      const { isSocket, isCharDevice } = Deno.statSync(path);
      return isSocket ? "socket" : isCharDevice ? "device" : "other";
    } catch {
      return undefined;
    }
  },
};

/**
 * Returns the TCTI that TPM_DEVICE, TPM2TOOLS_TCTI or TCTI names; else the device; else the
 * resource manager daemon tabrmd. TPM_DEVICE is a device, or the Unix socket of an emulator.
 *
 * Throws `keystore-unavailable` if a TPM is not found, or the named device does not exist or is not one.
 */
export function chooseTcti(host: TctiDeps): Tcti {
  const device = host.environment("TPM_DEVICE");
  if (device) return { configuration: resolveDevice(device, host), source: "TPM_DEVICE" };
  for (const source of VARIABLES) {
    const configuration = host.environment(source);
    if (configuration) {
      const path = DEVICE_TCTI.exec(configuration)?.[1];
      if (path && host.fileTypeOf(path) === "other") throw notDeviceError(source, path);
      return { configuration, source };
    }
  }
  const found = DEVICES.find((path) => host.fileTypeOf(path));
  if (found) return { configuration: `device:${found}`, source: found };
  if (host.fileTypeOf(SYSTEM_BUS) === "socket" && host.hasModule("tabrmd")) {
    return { configuration: "tabrmd:bus_type=system", source: "tabrmd" };
  }
  throw new HelperError(
    "keystore-unavailable",
    `no TPM found (tried ${DEVICES.join(", ")}, tabrmd); enable it in the firmware, or name it ` +
      "with TPM_DEVICE or TPM2TOOLS_TCTI",
  );
}

function resolveDevice(path: string, host: TctiDeps): string {
  const type = host.fileTypeOf(path);
  if (type === undefined) {
    throw new HelperError(
      "keystore-unavailable",
      `TPM_DEVICE: ${path} does not exist or is not accessible; name a TPM device or the socket ` +
        "of an emulator",
    );
  }
  if (type === "device") return `device:${path}`;
  if (type === "other") throw notDeviceError("TPM_DEVICE", path);
  // The swtpm TCTI needs the control socket; the cmd TCTI uses only the command socket.
  if (host.fileTypeOf(`${path}.ctrl`) === "socket") return `swtpm:path=${path}`;
  const bridge = host.hasModule("cmd") ? findBridge(path, host) : undefined;
  if (bridge !== undefined) return `cmd:${bridge}`;
  throw new HelperError(
    "keystore-unavailable",
    `TPM_DEVICE: ${path} has no control socket ${path}.ctrl; link it ` +
      `(ln -s CONTROL_SOCKET ${path}.ctrl), or install libtss2-tcti-cmd and socat`,
  );
}

/** Returns the error for a file: the TCTI would write commands over its contents. */
function notDeviceError(source: string, path: string): HelperError {
  return new HelperError(
    "keystore-unavailable",
    `${source}: ${path} is not a device; name a TPM device or the socket of an emulator`,
  );
}

/** Programs that connect stdin and stdout to a Unix socket, and their shell commands. */
const BRIDGES: readonly (readonly [program: string, command: (plainPath: string) => string])[] = [
  ["socat", (plainPath) => `exec socat - UNIX-CONNECT:${plainPath} 2>/dev/null`],
  ["nc", (plainPath) => `exec nc -U ${plainPath} 2>/dev/null`],
];

/** Returns a shell command that connects to the socket; undefined if PATH has no program for it. */
function findBridge(path: string, host: TctiDeps): string | undefined {
  // socat parses commas, colons and quotes in an address.
  if (!/^[\w@%+=./-]+$/.test(path)) return undefined;
  const folders = (host.environment("PATH") ?? "").split(":").filter((at) => at !== "");
  const found = BRIDGES.find(([program]) =>
    folders.some((folder) => host.fileTypeOf(`${folder}/${program}`) === "other")
  );
  return found?.[1](path);
}

/** Thrown when another program holds the device; a retry can help. */
export class DeviceBusyError extends Error {
  override readonly name = "DeviceBusyError";

  constructor(readonly path: string) {
    super(`${path} is held by another program`);
  }

  /** Returns the error for the user; `label` names the key. */
  toHelperError(label: string): HelperError {
    return new HelperError(
      "keystore-unavailable",
      `${label}: the TPM is busy: another program holds ${this.path}; try again, or use ` +
        "/dev/tpmrm0, which programs can share",
      { cause: this },
    );
  }
}

/**
 * Returns the error for a failed connection: {@link DeviceBusyError}, or `keystore-unavailable`.
 */
export function toConnectionError(
  tcti: Tcti,
  error: TpmError,
  open: (path: string) => void = openDevice,
): Error {
  const { configuration, source } = tcti;
  const unavailable = (message: string) =>
    new HelperError("keystore-unavailable", message, { cause: error });
  const [module = ""] = configuration.split(":", 1);
  const prefix = source === "TPM_DEVICE" || VARIABLES.includes(source) ? `${source}: ` : "";
  // The module can also be a path, which is not checked.
  if (/^[a-z0-9-]+$/.test(module) && !hasTctiModule(module)) {
    return unavailable(
      `${prefix}the TCTI module "${module}" (libtss2-tcti-${module}.so.0) is not installed; ${
        formatInstallCommand(module)
      }`,
    );
  }
  const path = module === "device" ? configuration.slice("device:".length) : undefined;
  if (path) {
    const reason = findOpenError(path, open);
    if (reason instanceof DeviceBusyError) return reason;
    if (reason) return unavailable(`${prefix}${reason}`);
  }
  return unavailable(
    `${prefix}no TPM responds at ${configuration} (${
      formatCode(error.code)
    }); check that it runs ` +
      "and that this user may use it",
  );
}

function openDevice(path: string): void {
  Deno.openSync(path, { read: true, write: true }).close();
}

/** Opens the device again to find the reason, which the software stack does not report. */
function findOpenError(
  path: string,
  open: (path: string) => void,
): string | DeviceBusyError | undefined {
  try {
    open(path);
    return undefined;
  } catch (cause) {
    if (cause instanceof Deno.errors.Busy) return new DeviceBusyError(path);
    if (cause instanceof Deno.errors.NotFound) return `${path} does not exist; check the path`;
    if (cause instanceof Deno.errors.PermissionDenied) {
      return `${path} may not be used by this user; add the user to the group that owns it ` +
        "(often: usermod -aG tss USER) and log in again";
    }
    return undefined;
  }
}
