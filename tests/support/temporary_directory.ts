import { join } from "node:path";

/** Returns the permission bits of a file or folder. */
export function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o777;
}

/** Folder with files that tests write. */
export class Folder {
  /** Takes the absolute path of a folder that exists. */
  constructor(
    /** Absolute path, free of symbolic links so that it compares equal to what programs print. */
    readonly path: string,
  ) {}

  /** Returns the absolute path of a name below the directory, without creating it. */
  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Returns the sorted names in the directory. */
  names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).toSorted();
  }

  /**
   * Writes a file of this name and returns its absolute path. Creates folders in the name. `mode`
   * overrides the umask.
   */
  write(name: string, data: string | Uint8Array, mode = 0o600): string {
    const path = this.join(name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    if (typeof data === "string") Deno.writeTextFileSync(path, data);
    else Deno.writeFileSync(path, data);
    if (Deno.build.os !== "windows") Deno.chmodSync(path, mode);
    return path;
  }
}

/**
 * A new directory of mode 0700 that is removed with its contents at the end of the `using` block.
 */
export class TemporaryDirectory extends Folder implements Disposable {
  constructor(prefix = "aws-signing-helper-test-") {
    super(Deno.realPathSync(Deno.makeTempDirSync({ prefix })));
  }

  [Symbol.dispose](): void {
    try {
      Deno.removeSync(this.path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
