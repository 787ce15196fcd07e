/**
 * Sessions again and again, for a program that stays: key and certificate are read anew each time, and
 * a set that cannot be used does not take the place of one that can.
 *
 * @module
 */
import { EXIT_CODES, HelperError } from "../../errors.ts";
import type { KeystoreRegistry } from "../../keystore/registry.ts";
import { type Identity, type IdentitySource, openIdentity } from "../../keystore/open_identity.ts";
import type { KeystoreContext } from "../../keystore/types.ts";
import {
  createSession,
  type CreateSessionDeps,
  type SessionCredentials,
  type SessionRequest,
} from "../../rolesanywhere/create_session.ts";
import type { Certificate } from "../../x509/certificate.ts";
import { sameBytes } from "../../x509/public_key.ts";
import { checkValidity, formatTime, labelOf } from "./session.ts";

const DAY = 24 * 3_600_000;
/** A certificate is told to expire when less than this remains of it, or a fifth of its life. */
const EXPIRY_WARNING = 14 * DAY;

/** Vends sessions of one identity. Disposing of it closes the key that it has kept. */
export class SessionVendor implements AsyncDisposable {
  /** The last set of key and certificate that could be used, where it lies in memory alone. */
  #kept: Identity | undefined;
  #answers = new Map<string, string>();
  #told = "";
  #warnedOf: Certificate | undefined;

  /** @param say tells the user of a set that cannot be used, and of a certificate's end */
  constructor(
    private readonly source: IdentitySource,
    private readonly request: SessionRequest,
    private readonly registry: KeystoreRegistry,
    private readonly context: KeystoreContext,
    private readonly deps: CreateSessionDeps,
    private readonly say: (words: string) => void,
  ) {}

  /**
   * One session. Throws what opening the identity throws when there is none to fall back on, and what
   * CreateSession throws.
   */
  async vend(): Promise<SessionCredentials> {
    const identity = await this.#open();
    try {
      this.#warnOfExpiry(identity.certificate);
      return await createSession(this.request, identity, this.deps);
    } finally {
      if (identity !== this.#kept) await identity[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    this.#answers.clear();
    await kept?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<Identity> {
    try {
      const identity = await this.#openAnew();
      this.#told = "";
      if (!identity.signer.inMemory) return identity;
      const before = this.#kept;
      this.#kept = identity;
      await before?.[Symbol.asyncDispose]();
      return identity;
    } catch (thrown) {
      const isOfKey = thrown instanceof HelperError && thrown.exitCode === EXIT_CODES.key.value;
      if (!isOfKey || !this.#kept || this.deps.now() > this.#kept.certificate.notAfter) {
        throw thrown;
      }
      if (this.#told !== thrown.message) {
        this.#told = thrown.message;
        this.say(`warning: ${thrown.message}; the key and certificate read before are still used`);
      }
      return this.#kept;
    }
  }

  async #openAnew(): Promise<Identity> {
    const identity = await openIdentity(this.source, this.registry, this.#rememberingContext());
    try {
      checkValidity(identity.certificate, labelOf(this.source), this.deps.now());
      return identity;
    } catch (thrown) {
      await identity[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Answers each question with what was typed before, once; asked again, that was wrong. */
  #rememberingContext(): KeystoreContext {
    const answered = new Set<string>();
    return {
      ...this.context,
      lifetime: this,
      prompt: async (question) => {
        const known = this.#answers.get(question);
        if (known !== undefined && !answered.has(question)) {
          answered.add(question);
          return known;
        }
        answered.add(question);
        const typed = await this.context.prompt(question);
        if (typed !== undefined) this.#answers.set(question, typed);
        return typed;
      },
    };
  }

  #warnOfExpiry(certificate: Certificate): void {
    const { notBefore, notAfter } = certificate;
    const life = notAfter.getTime() - notBefore.getTime();
    const left = notAfter.getTime() - this.deps.now().getTime();
    if (left > Math.min(EXPIRY_WARNING, life / 5)) return;
    if (this.#warnedOf && sameBytes(this.#warnedOf.encoded, certificate.encoded)) return;
    this.#warnedOf = certificate;
    this.say(
      `warning: the certificate in ${labelOf(this.source)} expires at ` +
        `${formatTime(notAfter)}; renew it`,
    );
  }
}
