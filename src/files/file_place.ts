/**
 * Directories of files that are replaced or locked, found so that other users cannot redirect them.
 *
 * A path is resolved part by part. A symbolic link is followed only if the link and its directory
 * belong to root or to this user. From the first part that another user could exchange, directories
 * are held by descriptor (Linux). Elsewhere root does not use directories of other users.
 *
 * @module
 */
import { basename, dirname, isAbsolute, join } from "../path.ts";
import { HeldEntry } from "./held_entry.ts";
import { errnoOf } from "./errno.ts";

/** Links that are followed on one path, as in Linux. */
const MAX_LINKS = 40;
const PRIVATE = 0o700;
const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;

/** Options of {@link FilePlace.find}. */
export interface FindOptions {
  /** Makes missing directories, mode 0700. */
  readonly makeDirectories?: boolean;
  /** False keeps a symbolic link in the last part; default true. */
  readonly followLast?: boolean;
}

/** Another user can exchange a part of the path. The message continues a sentence. */
export class UntrustedPathError extends Error {
  override readonly name = "UntrustedPathError";
}

/** Directory, and the name of a file in it that need not exist. */
export class FilePlace implements Disposable {
  private constructor(
    /** The file's name in its directory. */
    readonly name: string,
    private readonly inside: Directory,
  ) {}

  /**
   * Finds the place that `path` names.
   *
   * Throws the system's error, and {@link UntrustedPathError}.
   */
  static find(path: string, options: FindOptions = {}): FilePlace {
    if (Deno.build.os === "windows") return FilePlace.#findOnWindows(path, options);
    const walk = new PathWalk(path, options);
    try {
      return new FilePlace(walk.toLast(), walk.directory);
    } catch (thrown) {
      walk.directory.held?.[Symbol.dispose]();
      throw thrown;
    }
  }

  static #findOnWindows(path: string, { makeDirectories, followLast }: FindOptions): FilePlace {
    const target = followLast === false ? path : realPath(path);
    const directory = dirname(target);
    if (makeDirectories) Deno.mkdirSync(directory, { recursive: true });
    return new FilePlace(basename(target), {
      ...ROOT,
      accessPath: directory,
      displayPath: directory,
    });
  }

  /** Path of the directory without links, for messages. */
  get directory(): string {
    return this.inside.displayPath;
  }

  /** True if a directory on the path belongs to another user, who is not root. */
  get isForeign(): boolean {
    return this.inside.isForeign;
  }

  /** Path of the directory itself, for system calls. */
  get directoryPath(): string {
    return `${this.inside.accessPath}/.`;
  }

  /** Returns the path of the file, or of another one in the directory, for system calls. */
  path(name: string = this.name): string {
    return join(this.inside.accessPath, name);
  }

  [Symbol.dispose](): void {
    this.inside.held?.[Symbol.dispose]();
  }
}

/** Returns the target of `path`, link by link; the last part need not exist. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
  let link: string;
  try {
    link = Deno.readLinkSync(path);
  } catch {
    return path; // does not exist yet
  }
  return realPath(isAbsolute(link) ? link : join(Deno.realPathSync(dirname(path)), link));
}

/** Directory on the path. */
interface Directory {
  /** Its path for system calls. */
  readonly accessPath: string;
  /** Its path for messages. */
  readonly displayPath: string;
  readonly held: HeldEntry | undefined;
  readonly mode: number;
  /** True if root or this user owns it. */
  readonly isOwn: boolean;
  /** True if it, or a directory above it, is not their own. */
  readonly isForeign: boolean;
}

const ROOT: Directory = {
  accessPath: "/",
  displayPath: "/",
  held: undefined,
  mode: 0o755,
  isOwn: true,
  isForeign: false,
};

/** Entry of a directory; the caller that found it disposes of it. */
interface Entry {
  readonly info: Deno.FileInfo;
  readonly held: HeldEntry | undefined;
}

/** Resolution of one path. */
class PathWalk {
  directory: Directory = ROOT;
  readonly #user = Deno.uid();
  readonly #parts: string[];
  #links = 0;

  constructor(path: string, private readonly options: FindOptions) {
    this.#parts = partsOf(isAbsolute(path) ? path : `${Deno.cwd()}/${path}`);
  }

  /** Walks to the last directory and returns the name in it. */
  toLast(): string {
    for (;;) {
      const part = this.#parts.shift();
      if (part === undefined) return "."; // the path names a directory
      const isLast = this.#parts.length === 0;
      if (part === "..") {
        this.#goUp();
        continue;
      }
      if (isLast && this.options.followLast === false) return part;
      const entry = this.#find(part, isLast);
      if (!entry) return part;
      if (entry.info.isSymlink) {
        using _held = entry.held;
        this.#follow(part, entry);
      } else if (isLast) {
        entry.held?.[Symbol.dispose]();
        return part;
      } else {
        this.#enter(part, entry);
      }
    }
  }

  /** Returns the entry `name`; undefined if it does not exist and is the last part. */
  #find(name: string, isLast: boolean): Entry | undefined {
    const path = join(this.directory.accessPath, name);
    let info: Deno.FileInfo;
    try {
      info = Deno.lstatSync(path);
    } catch (thrown) {
      if (errnoOf(thrown) !== "ENOENT" || !(isLast || this.options.makeDirectories)) {
        throw thrown;
      }
      if (isLast) return undefined;
      makeDirectory(path);
      info = Deno.lstatSync(path);
    }
    if (!this.#canBeExchanged(info)) return { info, held: undefined };
    if (!HeldEntry.isSupported) {
      if (this.#user !== 0 || this.directory.isOwn) return { info, held: undefined };
      throw this.#untrusted(`${this.directory.displayPath} belongs to another user`);
    }
    // The last part is opened later, never through a link.
    if (isLast && !info.isSymlink) return { info, held: undefined };
    const held = HeldEntry.open(path);
    if (!held) throw this.#untrusted(`${this.#displayPath(name)} changed while it was opened`);
    return { info: held.stat(), held };
  }

  /** Returns whether another user can replace this entry. */
  #canBeExchanged({ uid }: Deno.FileInfo): boolean {
    const { held, isOwn, mode } = this.directory;
    if (held || !isOwn) return true;
    if ((mode & WRITABLE_BY_OTHERS) === 0) return false;
    return (mode & STICKY) === 0 || !this.#isOwn(uid);
  }

  #isOwn(uid: number | null): boolean {
    return uid === 0 || uid === this.#user;
  }

  #follow(name: string, { info, held }: Entry): void {
    if (++this.#links > MAX_LINKS) throw systemError("ELOOP");
    const { accessPath, isForeign } = this.directory;
    if (isForeign || !this.#isOwn(info.uid)) {
      throw this.#untrusted(`${this.#displayPath(name)} is a symbolic link of another user`);
    }
    const target = held ? held.readLink() : Deno.readLinkSync(join(accessPath, name));
    if (target === undefined) throw systemError("ENOENT");
    this.#parts.unshift(...partsOf(target));
    if (isAbsolute(target)) this.#move(ROOT);
  }

  #enter(name: string, { info, held }: Entry): void {
    if (!info.isDirectory) {
      held?.[Symbol.dispose]();
      throw systemError("ENOTDIR");
    }
    const isOwn = this.#isOwn(info.uid);
    this.#move({
      accessPath: held?.path ?? join(this.directory.accessPath, name),
      displayPath: this.#displayPath(name),
      held,
      mode: info.mode ?? 0,
      isOwn,
      isForeign: this.directory.isForeign || !isOwn,
    });
  }

  #goUp(): void {
    const { accessPath, displayPath, held } = this.directory;
    const path = held ? `${accessPath}/..` : dirname(displayPath);
    const parent = held ? HeldEntry.open(path) : undefined;
    const info = parent ? parent.stat() : Deno.statSync(path);
    const isOwn = this.#isOwn(info.uid);
    this.#move({
      accessPath: parent?.path ?? path,
      displayPath: dirname(displayPath),
      held: parent,
      mode: info.mode ?? 0,
      isOwn,
      isForeign: this.directory.isForeign || !isOwn,
    });
  }

  #move(to: Directory): void {
    this.directory.held?.[Symbol.dispose]();
    this.directory = to;
  }

  #displayPath(name: string): string {
    return join(this.directory.displayPath, name);
  }

  #untrusted(what: string): UntrustedPathError {
    return new UntrustedPathError(`${what}; run this as that user`);
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function makeDirectory(path: string): void {
  try {
    Deno.mkdirSync(path, { mode: PRIVATE });
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown; // another run made it
  }
}

/** Creates an error with a system code, for errors that this module detects itself. */
function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
