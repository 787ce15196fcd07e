import { assert, assertEquals } from "@std/assert";

import { readEntry, writeEntry } from "../../src/credentials/cache/cache_entry.ts";
import { testWith } from "../support/needs.ts";
import { modeOf, TemporaryDirectory } from "../support/temporary_directory.ts";

const KEY = "0123456789abcdef".repeat(4);
const CREDENTIALS = {
  accessKeyId: "ID",
  secretAccessKey: "SECRET",
  sessionToken: "TOKEN",
  expiration: new Date("2026-01-01T01:02:03.456Z"),
};
const FETCHED = new Date("2026-01-01T00:02:03.456Z");

function written(directory: TemporaryDirectory): string {
  writeEntry(directory.join("entry"), KEY, CREDENTIALS, FETCHED);
  return directory.join("entry");
}

Deno.test("readEntry() returns the session that writeEntry() stored, in a file of mode 0600", async () => {
  using directory = new TemporaryDirectory();
  const path = written(directory);
  assertEquals(await readEntry(path, KEY), {
    kind: "session",
    credentials: CREDENTIALS,
    fetched: FETCHED,
  });
  assertEquals(modeOf(path), 0o600);
});

Deno.test("readEntry() returns none if the file does not exist", async () => {
  using directory = new TemporaryDirectory();
  assertEquals(await readEntry(directory.join("entry"), KEY), { kind: "none" });
});

/** Unusable entries, made in a directory with a session in "entry". */
const UNUSABLE: Record<string, [make: (directory: TemporaryDirectory) => void, why: string]> = {
  "a link to a session": [(directory) => {
    Deno.renameSync(directory.join("entry"), directory.join("real"));
    Deno.symlinkSync("real", directory.join("entry"));
  }, "is a symbolic link"],
  "a link to nothing": [(directory) => {
    Deno.removeSync(directory.join("entry"));
    Deno.symlinkSync("nothing", directory.join("entry"));
  }, "is a symbolic link"],
  "a file that a group may read": [
    (directory) => Deno.chmodSync(directory.join("entry"), 0o640),
    "is open to others (mode 640)",
  ],
  "a file that all may write": [
    (directory) => Deno.chmodSync(directory.join("entry"), 0o602),
    "is open to others (mode 602)",
  ],
  "an empty file": [(directory) => {
    directory.write("entry", "");
  }, "does not contain a session"],
  "half a session": [(directory) => {
    directory.write("entry", Deno.readTextFileSync(directory.join("entry")).slice(0, 50));
  }, "does not contain a session"],
  "bytes that are not text": [(directory) => {
    directory.write("entry", Uint8Array.of(0xff, 0, 0xfe));
  }, "does not contain a session"],
  "JSON that is not a session": [(directory) => {
    directory.write("entry", "null");
  }, "does not contain the session of its name"],
  "a session without its token": [(directory) => {
    replaceIn(directory, '"TOKEN"', "7");
  }, "does not contain the session of its name"],
  "a session without a time": [(directory) => {
    replaceIn(directory, "2026-01-01T01:02:03.456Z", "tomorrow");
  }, "does not contain the session of its name"],
  "the session of another key": [(directory) => {
    replaceIn(directory, KEY, KEY.replace("0", "1"));
  }, "does not contain the session of its name"],
  "a large file": [(directory) => {
    directory.write("entry", " ".repeat(70_000));
  }, "is too large to be a session"],
  "a directory": [(directory) => {
    Deno.removeSync(directory.join("entry"));
    Deno.mkdirSync(directory.join("entry"));
  }, "is not a regular file"],
  "a pipe": [(directory) => {
    Deno.removeSync(directory.join("entry"));
    new Deno.Command("mkfifo", { args: [directory.join("entry")] }).outputSync();
  }, "is not a regular file"],
};

function replaceIn(directory: TemporaryDirectory, before: string, after: string): void {
  const text = Deno.readTextFileSync(directory.join("entry"));
  assertEquals(text.split(before).length, 2);
  directory.write("entry", text.replace(before, after));
}

for (const [what, [make, why]] of Object.entries(UNUSABLE)) {
  Deno.test(`readEntry() does not use ${what}`, async () => {
    using directory = new TemporaryDirectory();
    const path = written(directory);
    make(directory);
    assertEquals(await readEntry(path, KEY), { kind: "unusable", why });
  });
}

testWith(["root"], "readEntry() does not use a file of another user", async () => {
  using directory = new TemporaryDirectory();
  const path = written(directory);
  Deno.chownSync(path, 12, 34);
  assertEquals(await readEntry(path, KEY), { kind: "unusable", why: "belongs to another user" });
});

/** Runs `work`; calls `before` when the file `path` is opened by its path, and `after` then. */
async function withExchange<T>(
  path: string,
  before: () => void,
  after: () => void,
  work: () => Promise<T>,
): Promise<T> {
  const { openSync } = Deno;
  Deno.openSync = (file, options) => {
    if (file !== path) return openSync(file, options);
    before();
    try {
      return openSync(file, options);
    } finally {
      after();
    }
  };
  try {
    return await work();
  } finally {
    Deno.openSync = openSync;
  }
}

Deno.test("readEntry() reads a session that another run replaces meanwhile", async () => {
  using directory = new TemporaryDirectory();
  const path = written(directory);
  let opened = 0;
  const replace = () => {
    if (opened++ > 0) return;
    // The first file is kept, so that the second one has another inode.
    Deno.renameSync(path, directory.join("before"));
    Deno.writeFileSync(path, Deno.readFileSync(directory.join("before")), { mode: 0o600 });
  };
  const entry = await withExchange(path, replace, () => {}, () => readEntry(path, KEY, false));
  assertEquals([entry.kind, opened], ["session", 2]);
});

Deno.test("readEntry() refuses a link that takes the place of the session while it is opened", async () => {
  using directory = new TemporaryDirectory();
  const path = written(directory);
  Deno.renameSync(path, directory.join("other"));
  written(directory);
  const link = () => {
    Deno.renameSync(path, directory.join("kept"));
    Deno.symlinkSync("other", path);
  };
  // Each attempt finds the session, and opens the other file.
  const restore = () => Deno.renameSync(directory.join("kept"), path);
  const entry = await withExchange(path, link, restore, () => readEntry(path, KEY, false));
  assertEquals(entry, { kind: "unusable", why: "was replaced each time it was opened" });
});

testWith(
  ["linux"],
  "readEntry() returns none for a session that is removed meanwhile",
  async () => {
    using directory = new TemporaryDirectory();
    const path = written(directory);
    const { lstat } = Deno;
    Deno.lstat = async (file) => {
      const info = await lstat(file);
      if (file === path) Deno.removeSync(path);
      return info;
    };
    try {
      assertEquals(await readEntry(path, KEY), { kind: "none" });
    } finally {
      Deno.lstat = lstat;
    }
  },
);

/** Files that take the place of the session after its kind is known, and why each is not used. */
const EXCHANGED: Readonly<Record<string, [make: (path: string) => void, why: string]>> = {
  "a link to another session": [
    (path) => Deno.symlinkSync("other", path),
    "cannot be opened; check its mode and its file system",
  ],
  "a FIFO, which would block": [
    (path) => assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success),
    "is not a regular file",
  ],
  "a directory": [(path) => Deno.mkdirSync(path), "is not a regular file"],
};

for (const [what, [make, why]] of Object.entries(EXCHANGED)) {
  testWith(["linux"], `readEntry() does not use ${what} in the place of the session`, async () => {
    using directory = new TemporaryDirectory();
    const path = written(directory);
    Deno.renameSync(path, directory.join("other"));
    written(directory);
    const { lstat } = Deno;
    Deno.lstat = async (file) => {
      const info = await lstat(file);
      if (file === path) {
        Deno.removeSync(path);
        make(path);
      }
      return info;
    };
    try {
      assertEquals(await readEntry(path, KEY), { kind: "unusable", why });
    } finally {
      Deno.lstat = lstat;
    }
  });
}
