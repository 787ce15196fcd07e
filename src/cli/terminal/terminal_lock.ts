/**
 * Lock between prompts on one terminal: flock(2) on its device. Without it, processes of one job (a pipeline,
 * `xargs -P`) would each get a part of what is typed. Linux only; other systems do not report the device.
 *
 * @module
 */

/** Majors of `/dev/pts/N`, 256 terminals each (Documentation/admin-guide/devices.txt of Linux). */
const PTS_MAJORS = { first: 136, last: 143 } as const;
/** Major of `/dev/ttyN`, for consoles. */
const CONSOLE_MAJOR = 4;

/** Field `tty_nr` of proc_pid_stat(5), counted after the command's name, which may contain blanks. */
const TTY_FIELD = 4;

/** Lock of the controlling terminal. */
export class TerminalLock implements Disposable {
  readonly #device: Deno.FsFile | undefined;
  #isHeld = false;

  /** Opens the terminal's device. */
  constructor() {
    this.#device = openDevice();
  }

  /** Returns true if this process has the lock, or if the device is unknown. */
  tryLock(): boolean {
    if (this.#device && !this.#isHeld) this.#isHeld = tryLockOf(this.#device);
    return this.#device === undefined || this.#isHeld;
  }

  [Symbol.dispose](): void {
    this.#device?.close(); // ends the lock
  }
}

function openDevice(): Deno.FsFile | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const number = readDeviceNumber();
    const path = pathOf(number.major, number.minor);
    if (path === undefined) return undefined;
    const device = Deno.openSync(path);
    if (device.statSync().rdev === number.device) return device;
    device.close(); // a terminal of another container
  } catch {
    // another user's terminal
  }
  return undefined;
}

/** Returns the number of the controlling terminal's device; zero without one. */
function readDeviceNumber(): { readonly major: number; readonly minor: number; device: number } {
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const device = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[TTY_FIELD]);
  return {
    major: (device >> 8) & 0xfff,
    minor: (device & 0xff) | ((device >> 12) & 0xfff00),
    device,
  };
}

function pathOf(major: number, minor: number): string | undefined {
  if (major >= PTS_MAJORS.first && major <= PTS_MAJORS.last) {
    return `/dev/pts/${256 * (major - PTS_MAJORS.first) + minor}`;
  }
  return major === CONSOLE_MAJOR && minor < 64 ? `/dev/tty${minor}` : undefined;
}

function tryLockOf(device: Deno.FsFile): boolean {
  try {
    return device.tryLockSync(true);
  } catch {
    return true; // a system without locks
  }
}
