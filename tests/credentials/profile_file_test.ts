import { assertEquals, assertMatch, assertRejects } from "@std/assert";

import { lockFile, lockPathOf } from "../../src/files/file_lock.ts";
import { writeProfile } from "../../src/credentials/profile/profile_file.ts";
import { HelperError } from "../../src/errors.ts";
import { testWith } from "../support/needs.ts";
import { modeOf, TemporaryDirectory } from "../support/temporary_directory.ts";
import { REAL_CLOCKS } from "../support/real_clocks.ts";

const CREDENTIALS = {
  accessKeyId: "ID",
  secretAccessKey: "SECRET",
  sessionToken: "TOKEN",
  expiration: new Date(0),
};

const SECTION =
  "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n";

const write = (path: string, profile = "p", lockTimeout = 10_000) =>
  writeProfile(
    { path, profile, credentials: CREDENTIALS, account: "111122223333" },
    REAL_CLOCKS,
    lockTimeout,
  );

async function refusal(path: string, lockTimeout = 10_000): Promise<string> {
  const error = await assertRejects(() => write(path, "p", lockTimeout), HelperError);
  assertEquals([error.code, error.exitCode], ["credentials-file", 1]);
  assertMatch(error.message, /^[^\n]*was not changed: [^\n]*$/);
  return error.message;
}

Deno.test("writeProfile() creates the file with 0600 and every directory to it with 0700", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("home", ".aws", "credentials");
  assertEquals(await write(path), []);
  assertEquals(Deno.readTextFileSync(path), SECTION);
  assertEquals(
    [modeOf(path), modeOf(directory.join("home", ".aws")), modeOf(directory.join("home"))],
    [0o600, 0o700, 0o700],
  );
});

for (const mode of [0o600, 0o640, 0o644, 0o660, 0o700]) {
  Deno.test(`writeProfile() keeps the mode ${mode.toString(8)}, with a warning if others can read`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.write("credentials", SECTION, mode);
    const notes = (mode & 0o077) === 0
      ? []
      : [`${path} can be read by others (mode ${mode.toString(8)}); run chmod 600 ${path}`];
    assertEquals(await write(path), notes);
    assertEquals(modeOf(path), mode);
  });
}

Deno.test("writeProfile() warns that a hard link keeps the old credentials", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("credentials", "[default]\n");
  Deno.linkSync(path, directory.join("other name"));
  assertEquals(await write(path), [
    `${path} has another name (hard link), which keeps the old text; use a symbolic link`,
  ]);
  assertEquals(Deno.readTextFileSync(directory.join("other name")), "[default]\n");
  assertEquals(await write(path), []);
});

Deno.test("writeProfile() keeps symbolic links to the file", async () => {
  using directory = new TemporaryDirectory();
  const target = directory.write("real/target", "", 0o600);
  Deno.mkdirSync(directory.join("home"));
  Deno.symlinkSync("../real/target", directory.join("home/first"));
  Deno.symlinkSync("first", directory.join("home/credentials"));
  assertEquals(await write(directory.join("home/credentials")), []);
  assertEquals(Deno.readTextFileSync(target), SECTION);
  assertEquals(Deno.readLinkSync(directory.join("home/credentials")), "first");
  assertEquals(Deno.readLinkSync(directory.join("home/first")), "../real/target");
  assertEquals([...Deno.readDirSync(directory.join("home"))].length, 2);
});

Deno.test("writeProfile() creates the target of a symbolic link", async () => {
  using directory = new TemporaryDirectory();
  Deno.symlinkSync("away/target", directory.join("credentials"));
  assertEquals(await write(directory.join("credentials")), []);
  assertEquals(Deno.readTextFileSync(directory.join("away/target")), SECTION);
  assertEquals(Deno.readLinkSync(directory.join("credentials")), "away/target");
});

testWith(["root"], "writeProfile() keeps the owner", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("credentials", "");
  Deno.chownSync(path, 12, 34);
  await write(path);
  const { uid, gid } = Deno.statSync(path);
  assertEquals([uid, gid, Deno.readTextFileSync(path)], [12, 34, SECTION]);
});

Deno.test("writeProfile() keeps the bytes of a file that is not UTF-8, and warns", async () => {
  using directory = new TemporaryDirectory();
  const before = Uint8Array.from([..."# sch\xfcssel\n[p\xe9]\nk=v\n\n"], (c) => c.charCodeAt(0));
  const path = directory.write("credentials", before);
  assertEquals(await write(path, "pé"), [
    `${path} is not UTF-8 text, which the AWS CLI and boto3 refuse; convert it`,
  ]);
  const after = Deno.readFileSync(path);
  const section = new TextEncoder().encode(SECTION.replace("[p]", "[pé]"));
  assertEquals(after, Uint8Array.from([...before, ...section]));
  await write(path, "pé");
  assertEquals(Deno.readFileSync(path), after);
});

Deno.test("writeProfile() removes temporary files of killed writers", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("credentials");
  directory.write(".credentials.aws_signing_helper.0123456789abcdef.tmp", "half");
  directory.write(".credentials.aws_signing_helper.lock", "");
  await write(path);
  assertEquals(directory.names(), ["credentials"]);
});

Deno.test("writeProfile() loses none of 20 profiles that are written at once", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("credentials", "[mine]\nregion = x\n");
  const profiles = Array.from({ length: 20 }, (_, i) => `p${i}`);
  await Promise.all(profiles.map((profile) => write(path, profile, 60_000)));
  const text = Deno.readTextFileSync(path);
  for (const profile of profiles) assertEquals(text.split(`[${profile}]\n`).length, 2, profile);
  assertEquals([text.startsWith("[mine]\nregion = x\n\n["), directory.names()], [true, [
    "credentials",
  ]]);
});

Deno.test("writeProfile() names the lock's holder when the lock is held too long", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("credentials", "[o]\n");
  using _held = await lockFile(lockPathOf(path), 0, REAL_CLOCKS);
  assertEquals(
    await refusal(path, 100),
    `${path} was not changed: another program has held its lock for 0.1 s; ` +
      "end that program or try again",
  );
  assertEquals(Deno.readTextFileSync(path), "[o]\n");
});

interface Refused {
  readonly what: string;
  /** Creates the obstacle, and returns the path to write to. */
  make(directory: TemporaryDirectory): string;
  readonly message: RegExp;
}

const REFUSED: readonly Refused[] = [
  {
    what: "a read-only file",
    make: (directory) => directory.write("credentials", "[o]\n", 0o400),
    message:
      /credentials was not changed: it is read-only; allow its owner to write to it \(chmod u\+w\), or name another$/,
  },
  {
    what: "a directory",
    make: (directory) => {
      Deno.mkdirSync(directory.join("credentials"));
      return directory.join("credentials");
    },
    message: /it is a directory; name a file in it$/,
  },
  {
    what: "a device",
    make: () => "/dev/null",
    message: /^\/dev\/null was not changed: it is not a regular file; name another$/,
  },
  {
    what: "a file as a directory",
    make: (directory) => `${directory.write("file", "")}/credentials`,
    message: /a part of .*\/file is a file, not a directory; check the path$/,
  },
  {
    what: "a file below a file as a directory",
    make: (directory) => `${directory.write("file", "")}/.aws/credentials`,
    message: /a part of .*\/file\/\.aws is a file, not a directory; check the path$/,
  },
  {
    what: "a link that leads back to itself",
    make: (directory) => {
      Deno.symlinkSync("credentials", directory.join("credentials"));
      return directory.join("credentials");
    },
    message: /is a symbolic link that leads back to itself; correct it$/,
  },
  {
    what: "a UTF-16 file",
    make: (directory) => directory.write("credentials", Uint8Array.of(0xff, 0xfe, 0x5b, 0)),
    message: /it is UTF-16 text, which AWS SDKs do not read; save it as UTF-8$/,
  },
  {
    what: "a directory that cannot be made",
    make: () => "/proc/nowhere/credentials",
    message:
      /^\/proc\/nowhere\/credentials was not changed: \/proc\/nowhere does not exist; check the path$/,
  },
];

for (const { what, make, message } of REFUSED) {
  Deno.test(`writeProfile() throws credentials-file and changes nothing when there is ${what}`, async () => {
    using directory = new TemporaryDirectory();
    const path = make(directory);
    const before = directory.names();
    assertMatch(await refusal(path), message);
    assertEquals(directory.names(), before);
  });
}

Deno.test("writeProfile() reads the file again if a program without the lock changes it meanwhile", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("credentials", "[o]\n");
  const real = Deno.lstatSync;
  let looks = 0;
  // An editor saves the file after it was read and before it is checked again.
  Deno.lstatSync = (name) => {
    if (name === path && ++looks === 2) Deno.writeTextFileSync(path, "[o]\nregion = new\n");
    return real(name);
  };
  try {
    await write(path);
  } finally {
    Deno.lstatSync = real;
  }
  assertEquals(Deno.readTextFileSync(path), `[o]\nregion = new\n\n${SECTION}`);
});
