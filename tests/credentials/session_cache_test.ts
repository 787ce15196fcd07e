import { assertEquals, assertMatch, assertRejects } from "@std/assert";

import {
  CACHE_LIMITS,
  type CacheDeps,
  SessionCache,
} from "../../src/credentials/cache/session_cache.ts";
import { lockFile, lockPathOf } from "../../src/files/file_lock.ts";
import { HelperError } from "../../src/errors.ts";
import { modeOf, TemporaryDirectory } from "../support/temporary_directory.ts";

const KEY = "0123456789abcdef".repeat(4);
const FILE = `${KEY}.json`;
const NOW = new Date("2026-01-02T03:04:05Z");

/** Cache in a directory, with its messages and a counter of calls. */
class CacheFixture implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly cacheDirectory = this.directory.join("home", "cache");
  readonly warnings: string[] = [];
  readonly debug: string[] = [];
  calls = 0;
  now = NOW;
  #clock = 0;

  readonly deps: CacheDeps = {
    now: () => this.now,
    // Only sleeping moves the clock, so that waiting for a lock takes no real time.
    monotonic: () => this.#clock,
    sleep: async (milliseconds) => {
      this.#clock += milliseconds;
      await new Promise((done) => setTimeout(done, 0));
    },
    warn: (message) => this.warnings.push(message),
    debug: (message) => this.debug.push(message),
  };

  /** Gets a session of `minutes` from the cache. */
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

Deno.test("SessionCache.get() stores a session, 0600 in 0700, and returns it again", async () => {
  using fixture = new CacheFixture();
  assertEquals([await fixture.get(), await fixture.get(), fixture.calls], ["ID1", "ID1", 1]);
  const mode = (path: string) => modeOf(path);
  assertEquals([mode(fixture.path), mode(fixture.cacheDirectory)], [0o600, 0o700]);
  assertEquals([fixture.names, fixture.warnings], [[FILE], []]);
  assertEquals(fixture.debug, [
    `cache: miss, ${fixture.path}`,
    `cache: hit, ${fixture.path} until 2026-01-02T04:04:05Z`,
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
    using fixture = new CacheFixture();
    await fixture.get(lifetime);
    const end = NOW.getTime() + (lifetime - remaining) * 60_000;
    fixture.now = new Date(end - 1);
    assertEquals(await fixture.get(), "ID1");
    fixture.now = new Date(end);
    assertEquals([await fixture.get(60), await fixture.get()], ["ID2", "ID2"]);
    assertEquals(fixture.warnings, []);
  });
}

Deno.test("SessionCache.get() needs 16 minutes of a session whose lifetime is not known", async () => {
  for (const fetched of [undefined, "", "2026-02-02T00:00:00Z"]) {
    using fixture = new CacheFixture();
    await fixture.get(60);
    const entry = { ...JSON.parse(Deno.readTextFileSync(fixture.path)), fetched };
    Deno.writeTextFileSync(fixture.path, JSON.stringify(entry));
    fixture.now = new Date(NOW.getTime() + 44 * 60_000 - 1);
    assertEquals(await fixture.get(), "ID1");
    fixture.now = new Date(NOW.getTime() + 44 * 60_000);
    assertEquals(await fixture.get(), "ID2");
  }
});

Deno.test("SessionCache.get() does not use a session that lasts too long because the clock was set back", async () => {
  using fixture = new CacheFixture();
  await fixture.get(60);
  fixture.now = new Date(NOW.getTime() - 24 * 3_600_000);
  assertEquals(await fixture.get(), "ID2");
});

Deno.test("SessionCache.get() makes one call for many concurrent runs", async () => {
  using fixture = new CacheFixture();
  const ids = await Promise.all(Array.from({ length: 20 }, () => fixture.get()));
  assertEquals([new Set(ids).size, fixture.calls, fixture.names], [1, 1, [FILE]]);
});

Deno.test("SessionCache.get() lets the next run try if a call fails, and stores nothing", async () => {
  using fixture = new CacheFixture();
  const refused = new HelperError("service-refused", "AccessDeniedException");
  const cache = new SessionCache(fixture.cacheDirectory, fixture.deps);
  const error = await assertRejects(() => cache.get(KEY, () => Promise.reject(refused)));
  assertEquals([error, fixture.names], [refused, []]);
  assertEquals(await fixture.get(), "ID1");
});

Deno.test("SessionCache.get() continues without the cache if another run locks it too long", async () => {
  using fixture = new CacheFixture();
  Deno.mkdirSync(fixture.cacheDirectory, { recursive: true, mode: 0o700 });
  using _held = await lockFile(lockPathOf(fixture.path), 0, fixture.deps);
  assertEquals([await fixture.get(), await fixture.get()], ["ID1", "ID2"]);
  assertEquals(CACHE_LIMITS.lockWait, 45_000);
  assertEquals(
    fixture.warnings[0],
    "another process has been fetching this session for 45 s; continuing without the cache",
  );
});

/** Obstacles; the second half of each warning. */
const UNUSABLE: Record<string, [spoil: (path: string) => void, warning: string]> = {
  "a corrupt file": [(path) => Deno.writeTextFileSync(path, "{"), "does not contain a session"],
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
    using fixture = new CacheFixture();
    await fixture.get();
    spoil(fixture.path);
    assertEquals(await fixture.get(), "ID2");
    assertEquals(fixture.warnings, [`${fixture.path} ${warning}; it is not used`]);
    const { isFile, mode } = Deno.lstatSync(fixture.path);
    assertEquals([isFile, (mode ?? 0) & 0o777], [true, 0o600]);
    assertEquals([await fixture.get(), fixture.warnings.length], ["ID2", 1]);
    if (what === "a link") assertMatch(Deno.readTextFileSync(`${fixture.path}.real`), /"ID1"/);
  });
}

Deno.test("SessionCache.get() warns that it cannot store a session if its path is a directory", async () => {
  using fixture = new CacheFixture();
  Deno.mkdirSync(fixture.path, { recursive: true, mode: 0o700 });
  assertEquals([await fixture.get(), await fixture.get()], ["ID1", "ID2"]);
  assertEquals(fixture.warnings[0], `${fixture.path} is not a regular file; it is not used`);
  assertMatch(
    fixture.warnings[1] ?? "",
    /the session cannot be stored in .*: it is a directory; remove it/,
  );
  assertEquals(fixture.names, [FILE]);
});

const UNUSED: Record<string, [spoil: (path: string) => void, why: string]> = {
  "is open to others": [
    (path) => Deno.chmodSync(path, 0o755),
    "is open to others (mode 755); run chmod 700",
  ],
  "is a link": [(path) => {
    Deno.renameSync(path, `${path}.real`);
    Deno.symlinkSync(`${path}.real`, path);
  }, "is a symbolic link"],
  "is a file": [(path) => {
    Deno.removeSync(path, { recursive: true });
    Deno.writeTextFileSync(path, "text");
  }, "is not a directory"],
};

for (const [what, [spoil, why]] of Object.entries(UNUSED)) {
  Deno.test(`SessionCache.get() neither reads nor writes a directory that ${what}`, async () => {
    using fixture = new CacheFixture();
    await fixture.get();
    const real = Deno.readTextFileSync(fixture.path);
    spoil(fixture.cacheDirectory);
    assertEquals([await fixture.get(), await fixture.get()], ["ID2", "ID3"]);
    assertEquals(fixture.warnings[0], `the cache is not used: ${fixture.cacheDirectory} ${why}`);
    if (what !== "is a file") assertEquals(Deno.readTextFileSync(fixture.path), real);
  });
}
