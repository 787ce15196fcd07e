/**
 * Session tokens of IMDSv2.
 *
 * A token has 56 characters of base64, like EC2's: AWS's Common Runtime drops tokens of more than
 * 64. The first 12 are the key in the store. The other 44 (264 random bits) are compared in
 * constant time. So the time of a response does not depend on them.
 *
 * There are at most 256. A further token replaces the token that expires first, of the client with the
 * most tokens. So a client that requests many replaces its own, not those of others.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { timingSafeEqual } from "./timing_safe_equal.ts";

/** Limits of a token's lifetime, seconds; the default is the maximum. */
export const TOKEN_SECONDS = { min: 1, max: 21_600 } as const;
/** Maximum number of tokens. */
export const MAX_TOKENS = 256;

const TOKEN_BYTES = 42;
const NAME_LENGTH = 12;

/** User of a token: the kernel's number, or "any" if users are not distinguished. */
export type TokenUser = number | "any";

interface Token {
  readonly text: string;
  /** Only this user can use the token. */
  readonly user: TokenUser;
  /** Milliseconds of the monotonic clock. */
  readonly expires: number;
  readonly client: string;
}

/** Store of the valid tokens. */
export class TokenStore {
  readonly #tokens = new Map<string, Token>();
  #evicted = 0;

  /**
   * @param monotonic milliseconds from any origin, never going back
   * @param randomBytes returns `length` unpredictable bytes
   */
  constructor(
    private readonly monotonic: () => number,
    private readonly randomBytes: (length: number) => Uint8Array,
  ) {}

  /** Number of tokens, including expired ones that are not yet swept. */
  get size(): number {
    return this.#tokens.size;
  }

  /** Number of valid tokens that were replaced by newer ones. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Returns a new token for `client`, valid for this number of seconds and for `user` only. */
  issue(seconds: number, client: string, user: TokenUser = "any"): string {
    this.sweep();
    if (this.#tokens.size >= MAX_TOKENS) this.#evictOne();
    const token = encodeBase64(this.randomBytes(TOKEN_BYTES));
    this.#tokens.set(token.slice(0, NAME_LENGTH), {
      text: token,
      user,
      expires: this.monotonic() + seconds * 1000,
      client,
    });
    return token;
  }

  /**
   * Returns the remaining lifetime of a token in seconds, rounded up; undefined if it is not valid for
   * `user`. `now` is a time of `monotonic`.
   */
  remaining(
    token: string,
    now = this.monotonic(),
    user: TokenUser = "any",
  ): number | undefined {
    const known = this.#tokens.get(token.slice(0, NAME_LENGTH));
    if (!known || known.user !== user) return undefined;
    const milliseconds = known.expires - now;
    if (milliseconds <= 0 || !timingSafeEqual(token, known.text, NAME_LENGTH)) return undefined;
    return Math.ceil(milliseconds / 1000);
  }

  /** Removes the expired tokens. */
  sweep(): void {
    const now = this.monotonic();
    for (const [name, { expires }] of this.#tokens) if (expires <= now) this.#tokens.delete(name);
  }

  #evictOne(): void {
    const held = new Map<string, number>();
    for (const { client } of this.#tokens.values()) held.set(client, (held.get(client) ?? 0) + 1);
    const max = Math.max(...held.values());
    let first: { name: string; expires: number } | undefined;
    for (const [name, { client, expires }] of this.#tokens) {
      if (held.get(client) === max && (!first || expires < first.expires)) {
        first = { name, expires };
      }
    }
    if (first && this.#tokens.delete(first.name)) this.#evicted++;
  }
}
