/**
 * The session tokens of IMDSv2: made, remembered, checked.
 *
 * A token has 56 characters of base64, like EC2's: AWS's Common Runtime drops tokens of more than 64.
 * The first 12 find it. The other 44 (264 random bits) are compared in constant time, so that the time
 * of a response does not depend on them.
 *
 * There are at most 256. When one more is asked for, the client that holds the most gives up the one
 * that expires first: a client that asks for many takes room from itself, not from others.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import { timingSafeEqual } from "./timing_safe_equal.ts";

/** The limits of a token's life, seconds; without a wish it is the most. */
export const TOKEN_SECONDS = { min: 1, max: 21_600 } as const;
/** So many tokens are remembered. */
export const MAX_TOKENS = 256;

const TOKEN_BYTES = 42;
const NAME_LENGTH = 12;

interface Token {
  readonly text: string;
  /** Milliseconds on the steady clock. */
  readonly expires: number;
  readonly client: string;
}

/** The tokens that are valid. */
export class TokenStore {
  readonly #tokens = new Map<string, Token>();

  /**
   * @param monotonic milliseconds from any origin, never going back
   * @param randomBytes gives so many unpredictable bytes
   */
  constructor(
    private readonly monotonic: () => number,
    private readonly randomBytes: (length: number) => Uint8Array,
  ) {}

  /** How many are remembered, expired ones included until they are swept. */
  get size(): number {
    return this.#tokens.size;
  }

  /** A new token for `client`, valid for so many seconds. */
  issue(seconds: number, client: string): string {
    this.sweep();
    if (this.#tokens.size >= MAX_TOKENS) this.#makeRoom();
    const token = encodeBase64(this.randomBytes(TOKEN_BYTES));
    this.#tokens.set(token.slice(0, NAME_LENGTH), {
      text: token,
      expires: this.monotonic() + seconds * 1000,
      client,
    });
    return token;
  }

  /**
   * Seconds that remain of a token's life, rounded up; undefined when it is not valid. `now` is read
   * from the steady clock.
   */
  remaining(token: string, now = this.monotonic()): number | undefined {
    const known = this.#tokens.get(token.slice(0, NAME_LENGTH));
    if (!known) return undefined;
    const milliseconds = known.expires - now;
    if (milliseconds <= 0 || !timingSafeEqual(token, known.text, NAME_LENGTH)) return undefined;
    return Math.ceil(milliseconds / 1000);
  }

  /** Forgets what has expired. */
  sweep(): void {
    const now = this.monotonic();
    for (const [name, { expires }] of this.#tokens) if (expires <= now) this.#tokens.delete(name);
  }

  #makeRoom(): void {
    const held = new Map<string, number>();
    for (const { client } of this.#tokens.values()) held.set(client, (held.get(client) ?? 0) + 1);
    const max = Math.max(...held.values());
    let first: { name: string; expires: number } | undefined;
    for (const [name, { client, expires }] of this.#tokens) {
      if (held.get(client) === max && (!first || expires < first.expires)) {
        first = { name, expires };
      }
    }
    if (first) this.#tokens.delete(first.name);
  }
}
