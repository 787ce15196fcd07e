import { assertEquals, assertMatch, assertRejects } from "@std/assert";

import {
  CACHE_LIMITS,
  type CacheDeps,
  SessionCache,
} from "../../src/credentials/cache/session_cache.ts";
import { lockFile, lockPathOf } from "../../src/files/file_lock.ts";
import { HelperError } from "../../src/errors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const KEY = "0123456789abcdef".repeat(4);
const FILE = `${KEY}.json`;
const NOW = new Date("2026-01-02T03:04:05Z");

/** A cache in a directory, the words it says, and a counter of calls. */
class Scene implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly cacheDirectory = this.directory.join("home", "cache");
  readonly warnings: string[] = [];
  readonly debug: string[] = [];
  calls = 0;
  now = NOW;
  #clock = 0;

  readonly deps: CacheDeps = {
    now: () => this.now,
    // Time passes by sleeping alone: a lock that is never let go is waited for in no time.
    monotonic: () => this.#clock,
    sleep: async (milliseconds) => {
      this.#clock += milliseconds;
      await new Promise((done) => setTimeout(done, 0));
    },
    warn: (words) => this.warnings.push(words),
    debug: (words) => this.debug.push(words),
  };

  /** A session of `minutes`, by way of the cache. */
  async get(minutes = 60): Promise<string> {
    const credentials = await new SessionCache(this.cacheDirectory, this.deps).get(KEY, () => {
      this.calls++;
      return Promise.resolve({
        accessKeyId: `ID${this.calls}`,
        secretAccessKey: "SECRET",
        sessionToken: "TOKEN",
        expiration: new Date(this.now.getTime() + minutes * 60_000),
      });
    });
    return credentials.accessKeyId;
  }

  get path(): string {
    return `${this.cacheDirectory}/${FILE}`;
  }

  get names(): string[] {
    return [...Deno.readDirSync(this.cacheDirectory)].map(({ name }) => name).toSorted();
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

Deno.test("SessionCache.get() keeps a session, 0600 in 0700, and gives it again", async () => {
  using scene = new Scene();
  assertEquals([await scene.get(), await scene.get(), scene.calls], ["ID1", "ID1", 1]);
  const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
  assertEquals([mode(scene.path), mode(scene.cacheDirectory)], [0o600, 0o700]);
  assertEquals([scene.names, scene.warnings], [[FILE], []]);
  assertEquals(scene.debug, [
    `cache: miss, ${scene.path}`,
    `cache: hit, ${scene.path} until 2026-01-02T04:04:05Z`,
  ]);
});

for (
  const [lifetime, remaining] of [
    [720, 16],
    [60, 16],
    [32, 16],
    [31, 15.5],
    [20, 10],
    [15, 7.5],
  ] as const
) {
  Deno.test(`SessionCache.get() uses a session of ${lifetime} minutes while more than ${remaining} remain`, async () => {
    using scene = new Scene();
    await scene.get(lifetime);
    const end = NOW.getTime() + (lifetime - remaining) * 60_000;
    scene.now = new Date(end - 1);
    assertEquals(await scene.get(), "ID1");
    scene.now = new Date(end);
    assertEquals([await scene.get(60), await scene.get()], ["ID2", "ID2"]);
    assertEquals(scene.warnings, []);
  });
}

Deno.test("SessionCache.get() needs 16 minutes of a session whose lifetime is not known", async () => {
  for (const fetched of [undefined, "", "2026-02-02T00:00:00Z"]) {
    using scene = new Scene();
    await scene.get(60);
    const entry = { ...JSON.parse(Deno.readTextFileSync(scene.path)), fetched };
    Deno.writeTextFileSync(scene.path, JSON.stringify(entry));
    scene.now = new Date(NOW.getTime() + 44 * 60_000 - 1);
    assertEquals(await scene.get(), "ID1");
    scene.now = new Date(NOW.getTime() + 44 * 60_000);
    assertEquals(await scene.get(), "ID2");
  }
});

Deno.test("SessionCache.get() does not trust a session that would outlast any, as when the clock was set back", async () => {
  using scene = new Scene();
  await scene.get(60);
  scene.now = new Date(NOW.getTime() - 24 * 3_600_000);
  assertEquals(await scene.get(), "ID2");
});

Deno.test("SessionCache.get() makes one call for many at once", async () => {
  using scene = new Scene();
  const ids = await Promise.all(Array.from({ length: 20 }, () => scene.get()));
  assertEquals([new Set(ids).size, scene.calls, scene.names], [1, 1, [FILE]]);
});

Deno.test("SessionCache.get() lets the next try when a call fails, and keeps nothing", async () => {
  using scene = new Scene();
  const refused = new HelperError("service-refused", "AccessDeniedException");
  const cache = new SessionCache(scene.cacheDirectory, scene.deps);
  const error = await assertRejects(() => cache.get(KEY, () => Promise.reject(refused)));
  assertEquals([error, scene.names], [refused, []]);
  assertEquals(await scene.get(), "ID1");
});

Deno.test("SessionCache.get() goes on without the cache when another run holds it too long", async () => {
  using scene = new Scene();
  Deno.mkdirSync(scene.cacheDirectory, { recursive: true, mode: 0o700 });
  using _held = await lockFile(lockPathOf(scene.path), 0, scene.deps);
  assertEquals([await scene.get(), await scene.get()], ["ID1", "ID2"]);
  assertEquals(CACHE_LIMITS.lockWait, 45_000);
  assertEquals(
    scene.warnings[0],
    "another run has asked for this session for 45 s and holds the cache; going on without it",
  );
});

/** What may be in the way; the second half of each warning. */
const UNUSABLE: Record<string, [spoil: (path: string) => void, warning: string]> = {
  "a corrupt file": [(path) => Deno.writeTextFileSync(path, "{"), "holds no session"],
  "a file that others may read": [
    (path) => Deno.chmodSync(path, 0o644),
    "is open to others (mode 644)",
  ],
  "a link": [(path) => {
    Deno.renameSync(path, `${path}.real`);
    Deno.symlinkSync(`${path}.real`, path);
  }, "is a symbolic link"],
};

for (const [what, [spoil, warning]] of Object.entries(UNUSABLE)) {
  Deno.test(`SessionCache.get() warns of ${what}, does not use it, and replaces it`, async () => {
    using scene = new Scene();
    await scene.get();
    spoil(scene.path);
    assertEquals(await scene.get(), "ID2");
    assertEquals(scene.warnings, [`${scene.path} ${warning}; it is not used`]);
    const { isFile, mode } = Deno.lstatSync(scene.path);
    assertEquals([isFile, (mode ?? 0) & 0o777], [true, 0o600]);
    assertEquals([await scene.get(), scene.warnings.length], ["ID2", 1]);
    if (what === "a link") assertMatch(Deno.readTextFileSync(`${scene.path}.real`), /"ID1"/);
  });
}

Deno.test("SessionCache.get() says that it could not keep a session when a directory is in its place", async () => {
  using scene = new Scene();
  Deno.mkdirSync(scene.path, { recursive: true, mode: 0o700 });
  assertEquals([await scene.get(), await scene.get()], ["ID1", "ID2"]);
  assertEquals(scene.warnings[0], `${scene.path} is no file; it is not used`);
  assertMatch(scene.warnings[1] ?? "", /the session could not be kept in .*: Is a directory/);
  assertEquals(scene.names, [FILE]);
});

const UNUSED: Record<string, [spoil: (path: string) => void, why: string]> = {
  "is open to others": [
    (path) => Deno.chmodSync(path, 0o755),
    "is open to others (mode 755; chmod 700 closes it)",
  ],
  "is a link": [(path) => {
    Deno.renameSync(path, `${path}.real`);
    Deno.symlinkSync(`${path}.real`, path);
  }, "is a symbolic link"],
  "is a file": [(path) => {
    Deno.removeSync(path, { recursive: true });
    Deno.writeTextFileSync(path, "text");
  }, "is no directory"],
};

for (const [what, [spoil, why]] of Object.entries(UNUSED)) {
  Deno.test(`SessionCache.get() neither reads nor writes a directory that ${what}`, async () => {
    using scene = new Scene();
    await scene.get();
    const real = Deno.readTextFileSync(scene.path);
    spoil(scene.cacheDirectory);
    assertEquals([await scene.get(), await scene.get()], ["ID2", "ID3"]);
    assertEquals(scene.warnings[0], `the cache is not used: ${scene.cacheDirectory} ${why}`);
    if (what !== "is a file") assertEquals(Deno.readTextFileSync(scene.path), real);
  });
}
