/**
 * Where the TPM is: choosing the TCTI (TPM Command Transmission Interface), and saying why it cannot
 * be reached.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { hasTctiModule, installWords } from "./libraries.ts";
import { formatCode, type TpmError } from "./return_codes.ts";

/** A TCTI configuration as the loader takes it, and what named it. */
export interface Tcti {
  /** For instance `device:/dev/tpmrm0`; never empty, as the loader then tries a local port. */
  readonly configuration: string;
  /** What named it, for messages. */
  readonly source: string;
}

/** What the choice looks at. */
export interface TctiDeps {
  environment(name: string): string | undefined;
  /** What stands at a path; undefined when nothing does, or nothing that this user may see. */
  kindOf(path: string): "socket" | "other" | undefined;
  /** True if the loader finds the module of a TCTI. */
  hasModule(name: string): boolean;
}

/** Devices in the order they are tried: with the kernel's resource manager, and without. */
const DEVICES = ["/dev/tpmrm0", "/dev/tpm0"];
const SYSTEM_BUS = "/run/dbus/system_bus_socket";
/** Variables of other programs that hold a TCTI configuration. */
const VARIABLES = ["TPM2TOOLS_TCTI", "TCTI"];

/** The machine this runs on. */
export const SURROUNDINGS: Pick<TctiDeps, "kindOf" | "hasModule"> = {
  hasModule: hasTctiModule,
  kindOf(path) {
    try {
      return Deno.statSync(path).isSocket ? "socket" : "other";
    } catch {
      return undefined;
    }
  },
};

/**
 * The TCTI that TPM_DEVICE (a device, or the Unix socket of an emulator), TPM2TOOLS_TCTI or TCTI
 * names; else the device; else the resource manager daemon tabrmd.
 *
 * Throws `keystore-unavailable` when there is no TPM, or TPM_DEVICE names nothing.
 */
export function chooseTcti(host: TctiDeps): Tcti {
  const device = host.environment("TPM_DEVICE");
  if (device) return { configuration: deviceTcti(device, host), source: "TPM_DEVICE" };
  for (const source of VARIABLES) {
    const configuration = host.environment(source);
    if (configuration) return { configuration, source };
  }
  const found = DEVICES.find((path) => host.kindOf(path));
  if (found) return { configuration: `device:${found}`, source: found };
  if (host.kindOf(SYSTEM_BUS) === "socket" && host.hasModule("tabrmd")) {
    return { configuration: "tabrmd:bus_type=system", source: "tabrmd" };
  }
  throw new HelperError(
    "keystore-unavailable",
    `this machine shows no TPM (neither ${
      DEVICES.join(" nor ")
    }, nor the daemon tabrmd); turn it ` +
      "on in the firmware, or name it with TPM_DEVICE or TPM2TOOLS_TCTI",
  );
}

function deviceTcti(path: string, host: TctiDeps): string {
  const kind = host.kindOf(path);
  if (kind === undefined) {
    throw new HelperError(
      "keystore-unavailable",
      `TPM_DEVICE: ${path} does not exist or may not be seen; name a TPM device or the socket of ` +
        "an emulator",
    );
  }
  if (kind === "other") return `device:${path}`;
  // The swtpm TCTI needs the control socket; the cmd TCTI talks to the command socket only.
  if (host.kindOf(`${path}.ctrl`) === "socket") return `swtpm:path=${path}`;
  const bridge = host.hasModule("cmd") ? bridgeTo(path, host) : undefined;
  if (bridge !== undefined) return `cmd:${bridge}`;
  throw new HelperError(
    "keystore-unavailable",
    `TPM_DEVICE: ${path} has no control socket ${path}.ctrl; link swtpm's there ` +
      `(ln -s CONTROL_SOCKET ${path}.ctrl), or install libtss2-tcti-cmd and socat`,
  );
}

/** Programs that connect standard input and output to a Unix socket, and their commands. */
const BRIDGES: readonly (readonly [program: string, command: (quoted: string) => string])[] = [
  ["socat", (quoted) => `exec socat - UNIX-CONNECT:${quoted} 2>/dev/null`],
  ["nc", (quoted) => `exec nc -U ${quoted} 2>/dev/null`],
];

/** Returns a shell command that reaches the socket; undefined if no program for it is on PATH. */
function bridgeTo(path: string, host: TctiDeps): string | undefined {
  // socat reads commas, colons and quotes in an address as its own syntax.
  if (!/^[\w@%+=./-]+$/.test(path)) return undefined;
  const folders = (host.environment("PATH") ?? "").split(":").filter((at) => at !== "");
  const found = BRIDGES.find(([program]) =>
    folders.some((folder) => host.kindOf(`${folder}/${program}`) === "other")
  );
  return found?.[1](path);
}

/** Thrown when another program holds the device, which may pass. */
export class DeviceBusyError extends Error {
  override readonly name = "DeviceBusyError";

  constructor(readonly path: string) {
    super(`${path} is held by another program`);
  }

  /** The sentence for people. */
  explained(label: string): HelperError {
    return new HelperError(
      "keystore-unavailable",
      `${label}: the TPM is busy: another program holds ${this.path}, which takes one at a time; ` +
        "try again, or use /dev/tpmrm0",
      { cause: this },
    );
  }
}

/** Why no connection could be made: {@link DeviceBusyError}, or `keystore-unavailable`. */
export function connectionFailure(
  tcti: Tcti,
  error: TpmError,
  open: (path: string) => void = openDevice,
): Error {
  const { configuration, source } = tcti;
  const refuse = (words: string) =>
    new HelperError("keystore-unavailable", words, { cause: error });
  const [module = ""] = configuration.split(":", 1);
  const named = source === "TPM_DEVICE" || VARIABLES.includes(source) ? `${source}: ` : "";
  // A path of a module's file is for its writer to check.
  if (/^[a-z0-9-]+$/.test(module) && !hasTctiModule(module)) {
    return refuse(
      `${named}the TCTI module "${module}" (libtss2-tcti-${module}.so.0) is not installed; ${
        installWords(module)
      }`,
    );
  }
  const path = module === "device" ? configuration.slice("device:".length) : undefined;
  if (path) {
    const why = whyNotOpened(path, open);
    if (why instanceof DeviceBusyError) return why;
    if (why) return refuse(`${named}${why}`);
  }
  return refuse(
    `${named}no TPM answers at ${configuration} (${formatCode(error.code)}); check that it runs ` +
      "and that this user may use it",
  );
}

function openDevice(path: string): void {
  Deno.openSync(path, { read: true, write: true }).close();
}

/** The stack does not tell why a device cannot be opened: it is opened once more. */
function whyNotOpened(
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
