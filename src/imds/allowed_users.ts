/**
 * Users that get credentials, by the word of the kernel.
 *
 * @module
 */
import { HelperError, refusedValue } from "../errors.ts";
import { findUser } from "../runtime/find_user.ts";
import { type BindAddress, isLoopback } from "./listener/bind_address.ts";
import { isOnLoopbackInterface } from "./listener/local_addresses.ts";
import { connectionServer } from "./listener/peer_server.ts";
import { SocketOwners } from "./listener/socket_owner.ts";

/** Maximum number of a user; the next one means "no user" to the kernel. */
const MAX_USER = 0xfffffffe;

/** Names of flags, variables or settings for messages. */
export interface Sources {
  /** Source of the users. */
  readonly users: string;
  readonly bind: string;
}

/** Facts about the system, for tests. */
export interface UserDeps {
  readonly operatingSystem: string;
  findUser(name: string): number | undefined;
  readText(path: string): string;
}

const SYSTEM: UserDeps = {
  operatingSystem: Deno.build.os,
  findUser,
  readText: (path) => Deno.readTextFileSync(path),
};

/** Throws `usage` where the kernel would not report the user of every client. */
export function checkUsersAreKnown(
  bind: BindAddress,
  { users, bind: bindSource }: Sources,
  deps = SYSTEM,
): void {
  const refuse = (why: string) => new HelperError("usage", `${users}: ${why}`);
  if (deps.operatingSystem !== "linux") {
    throw refuse(`only Linux reports a client's user; use ${bindSource} with a Unix socket`);
  }
  if (bind.kind === "ip" && !isLoopback(bind.address) && !isOnLoopbackInterface(bind.address)) {
    throw refuse(
      `the kernel reports only users of this machine; use ${bindSource} with a loopback address`,
    );
  }
}

/**
 * Returns the numbers of the users in `texts`, each a name or a number. Throws `usage` for a user
 * that does not exist. Also throws it if the kernel would not report the user of every client.
 */
export function parseAllowedUsers(
  texts: readonly string[],
  bind: BindAddress,
  sources: Sources,
  deps = SYSTEM,
): ReadonlySet<number> {
  checkUsersAreKnown(bind, sources, deps);
  // The flag's variable has several names in one text.
  const names = texts.flatMap((text) => text.split(/[\s,]+/)).filter((name) => name !== "");
  if (names.length === 0) {
    throw new HelperError(
      "usage",
      `${sources.users}: it names no user; name one, or omit the flag`,
    );
  }
  return new Set(parseUsers(names, sources.users, deps));
}

/** Returns the numbers of users, each a name or a number. Throws `usage` for one that does not exist. */
export function parseUsers(texts: readonly string[], source: string, deps = SYSTEM): number[] {
  const refuse = (why: string) => new HelperError("usage", `${source}: ${why}`);
  if (texts.length === 0) return [];
  const unmapped = unmappedUser(deps);
  return texts.map((text) => {
    const user = /^\d+$/.test(text) ? Number(text) : deps.findUser(text);
    if (user === undefined) {
      throw refuse(`there is no user${refusedValue(text)}; check the name with getent passwd`);
    }
    if (user > MAX_USER) throw refuse(`a user's number is at most ${MAX_USER}; correct it`);
    if (user === unmapped) {
      throw refuse(`here ${user} is also any user outside of the namespace; use another user`);
    }
    return user;
  });
}

/** Returns the number that the kernel reports for users that a user namespace does not have. */
function unmappedUser({ readText }: UserDeps): number | undefined {
  const [from, to, count] = readText("/proc/self/uid_map").trim().split(/\s+/).map(Number);
  const hasAll = from === 0 && to === 0 && count === MAX_USER + 1;
  return hasAll ? undefined : Number(readText("/proc/sys/kernel/overflowuid"));
}

/**
 * Throws `listen` if the kernel does not report the user of this process's own connection. It may
 * lack sock_diag, or forbid it.
 */
export async function checkReportsUsers(
  bind: BindAddress,
  source = "--allow-user",
): Promise<void> {
  connectionServer(source);
  if (bind.kind === "unix") return;
  using owners = new SocketOwners();
  using listener = Deno.listen({ hostname: bind.address, port: 0 });
  using client = await Deno.connect({ hostname: bind.address, port: listener.addr.port });
  using server = await listener.accept();
  const from = client.localAddr;
  const to = server.localAddr;
  const user = owners.userOf(
    { address: from.hostname, port: from.port },
    { address: to.hostname, port: to.port },
  );
  if (user !== undefined && user === Deno.uid()) return;
  throw new HelperError(
    "listen",
    `${source}: the kernel does not report the user of a connection; serve on a Unix socket`,
  );
}
