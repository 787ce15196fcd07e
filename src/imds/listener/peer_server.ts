/**
 * HTTP server on a Unix socket that knows the user of each connection (SO_PEERCRED, unix(7)). Linux
 * only.
 *
 * `Deno.serve` does not tell connections of a Unix socket apart, so connections are accepted here, one
 * at a time, and served by a function that the runtime uses itself.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SocketCalls } from "./sockets.ts";

/** Times of connections, milliseconds. */
const TIMES = {
  /** Maximum duration of a connection of a user who gets nothing. */
  refused: 5_000,
  /** Delay after a failed accept: the process may have too many open files. */
  retry: 50,
} as const;
/** Maximum number of connections of users who get nothing. */
const MAX_REFUSED = 64;

/** Handles a request of a user. */
export type UserHandler = (
  request: Request,
  user: number | undefined,
) => Response | Promise<Response>;

/** A connection that is served. */
type ServedConnection = Pick<Deno.HttpServer, "finished" | "shutdown">;

type ServeConnection = (
  connection: Deno.Conn,
  signal: AbortSignal,
  handler: (request: Request) => Response | Promise<Response>,
  onError: () => Response,
  onListen: () => void,
) => ServedConnection;

/** Server on one listener. */
export class PeerServer {
  /** Resolves when it no longer listens. */
  readonly finished: Promise<void>;
  readonly #serve: ServeConnection;
  readonly #peers: PeerUsers;
  readonly #open = new Set<ServedConnection>();
  #refused = 0;
  #ending = false;

  /** @param path of the socket that `listener` listens on */
  constructor(
    private readonly listener: Deno.UnixListener,
    calls: SocketCalls,
    private readonly allowedUsers: ReadonlySet<number>,
    private readonly handler: UserHandler,
    private readonly onError: () => Response,
  ) {
    this.#serve = connectionServer();
    this.#peers = new PeerUsers(calls, listener.addr.path);
    this.finished = this.#accept();
  }

  /** Stops listening, and finishes the requests in flight. */
  async shutdown(): Promise<void> {
    this.#ending = true;
    this.listener.close();
    await Promise.all([...this.#open].map((connection) => connection.shutdown()));
    await this.finished;
  }

  async #accept(): Promise<void> {
    while (!this.#ending) {
      let connection: Deno.UnixConn;
      try {
        connection = await this.listener.accept();
      } catch {
        if (!this.#ending) await new Promise((resolve) => setTimeout(resolve, TIMES.retry));
        continue;
      }
      const user = this.#peers.userOfNew();
      const isAllowed = user !== undefined && this.allowedUsers.has(user);
      if (isAllowed || this.#refused < MAX_REFUSED) this.#start(connection, user, isAllowed);
      else connection.close();
    }
  }

  #start(connection: Deno.UnixConn, user: number | undefined, isAllowed: boolean): void {
    const controller = new AbortController();
    const handle = (request: Request) => this.handler(request, user);
    const served = this.#serve(connection, controller.signal, handle, this.onError, () => {});
    this.#open.add(served);
    let timer: number | undefined;
    if (!isAllowed) {
      this.#refused++;
      timer = setTimeout(() => controller.abort(), TIMES.refused);
    }
    void served.finished.catch(() => {}).finally(() => {
      clearTimeout(timer);
      if (!isAllowed) this.#refused--;
      this.#open.delete(served);
    });
  }
}

/** Finds the user of a connection that was accepted just now. */
class PeerUsers {
  /** Cookies of the connections that were open at the last look; the kernel never reuses one. */
  #known: ReadonlySet<bigint> = new Set();

  constructor(private readonly calls: SocketCalls, private readonly path: string) {}

  /** Returns the user's number; undefined if there is not exactly one new connection. */
  userOfNew(): number | undefined {
    const open = new Map<bigint, number>();
    for (const socket of this.calls.numbers()) {
      if (this.calls.unixPath(socket) !== this.path || this.calls.isListening(socket)) continue;
      const peer = readPeer(this.calls, socket);
      if (peer) open.set(peer.cookie, peer.user);
    }
    const added = [...open].filter(([cookie]) => !this.#known.has(cookie));
    this.#known = new Set(open.keys());
    const [first, ...others] = added;
    return first && others.length === 0 ? first[1] : undefined;
  }
}

/** Returns the user at the other end of a Unix socket, and the kernel's name of the connection. */
function readPeer(
  calls: SocketCalls,
  socket: number,
): { user: number; cookie: bigint } | undefined {
  const { peers } = calls.system;
  if (!peers) return undefined;
  const { level } = peers;
  // struct ucred: pid_t pid, uid_t uid, gid_t gid
  const credentials = calls.readOption(socket, { level, option: peers.credentials }, 12);
  const cookie = calls.readOption(socket, { level, option: peers.cookie }, 8);
  if (!credentials || !cookie) return undefined;
  return {
    user: new DataView(credentials.buffer).getUint32(4, true),
    cookie: new DataView(cookie.buffer).getBigUint64(0, true),
  };
}

/** Returns the runtime's function that serves one connection. Throws `listen` if it has none. */
export function connectionServer(): ServeConnection {
  const internal: unknown = Reflect.get(Deno, Reflect.get(Deno, "internal"));
  const serve: unknown = typeof internal === "object" && internal !== null
    ? Reflect.get(internal, "serveHttpOnConnection")
    : undefined;
  if (typeof serve === "function") {
    return (...args) => Reflect.apply(serve, undefined, args);
  }
  throw new HelperError("listen", "--allow-user: this runtime cannot serve it on a Unix socket");
}
