/**
 * Sessions for long-running commands. Key and certificate are read again each time; an unusable
 * pair does not replace a usable one. Sessions of several roles can be requested at the same time.
 * They share the open key, which signs for one of them after the other.
 *
 * @module
 */
import { EXIT_CODES, HelperError } from "../../errors.ts";
import type { KeystoreRegistry } from "../../keystore/registry.ts";
import { type Identity, type IdentitySource, openIdentity } from "../../keystore/open_identity.ts";
import type { KeystoreContext } from "../../keystore/types.ts";
import { descriptionOf } from "../../keystore/uri.ts";
import {
  createSession,
  type CreateSessionDeps,
  type SessionCredentials,
} from "../../rolesanywhere/create_session.ts";
import type { Certificate } from "../../x509/certificate.ts";
import { sameBytes } from "../../x509/public_key.ts";
import {
  assumeChain,
  chainDeadline,
  checkValidity,
  labelOf,
  type VendedSession,
} from "./session.ts";
import { formatTime } from "../format_time.ts";
import { SharedIdentity } from "./shared_identity.ts";

/** Any message that no service accepts. */
const TRIED_MESSAGE = new Uint8Array(32);
const DAY = 24 * 3_600_000;
/** Warn when less than this, or a fifth of the lifetime, is left of a certificate. */
const EXPIRY_WARNING = 14 * DAY;

/** Vendor of one identity's sessions. Disposing of it closes the key that it keeps. */
export class SessionVendor implements AsyncDisposable {
  /** The last usable key and certificate, if the key is in memory only. */
  #kept: Identity | undefined;
  readonly #identity = new SharedIdentity(
    () => this.#open(),
    async (identity) => {
      if (!identity.signer.inMemory) await identity[Symbol.asyncDispose]();
    },
  );
  #answers = new Map<string, string>();
  #reportedError = "";
  #warnedAbout: Certificate | undefined;
  #certificate: Certificate | undefined;

  /**
   * @param request of a session, by default
   * @param log reports an unusable key or certificate, and the end of a certificate, to the user
   */
  constructor(
    private readonly source: IdentitySource,
    private readonly request: VendedSession,
    private readonly registry: KeystoreRegistry,
    private readonly context: KeystoreContext,
    private readonly deps: CreateSessionDeps,
    private readonly log: (message: string) => void,
  ) {}

  /**
   * Returns a new session. Throws the errors of the calls. Throws those of opening the identity if
   * there is no earlier key.
   */
  async vend(request = this.request, deps = this.deps): Promise<SessionCredentials> {
    const deadline = chainDeadline(deps);
    const { session, certificate } = await this.#createSession(request, deps);
    return await assumeChain(request, session, { certificate, deadline }, deps);
  }

  /** Returns the session of CreateSession, and the certificate it was made with. */
  async #createSession(
    request: VendedSession,
    deps: CreateSessionDeps,
  ): Promise<{ session: SessionCredentials; certificate: Certificate }> {
    await using lease = await this.#identity.lease();
    const { identity } = lease;
    const { certificate } = identity;
    this.#certificate = certificate;
    this.#warnOfExpiry(certificate);
    return { session: await createSession(request, identity, deps), certificate };
  }

  /** The certificate that was used last; undefined before the first session. */
  get certificate(): Certificate | undefined {
    return this.#certificate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    this.#answers.clear();
    await kept?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<Identity> {
    try {
      const identity = await this.#reopen();
      this.#reportedError = "";
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
      if (this.#reportedError !== thrown.message) {
        this.#reportedError = thrown.message;
        this.log(`warning: ${thrown.message}; the key and certificate read before are still used`);
      }
      return this.#kept;
    }
  }

  async #reopen(): Promise<Identity> {
    const identity = await openIdentity(this.source, this.registry, this.#contextWithAnswers());
    try {
      checkValidity(identity.certificate, labelOf(this.source), this.deps.now());
      // A key in memory signs once before it replaces one that works: its first signature is verified.
      if (identity.signer.inMemory) await identity.signer.sign(TRIED_MESSAGE, "SHA-256");
      return identity;
    } catch (thrown) {
      await identity[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Answers each prompt with the earlier input once; a second prompt means that it was wrong. */
  #contextWithAnswers(): KeystoreContext {
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
    const { certificate: named, privateKey } = this.source;
    const from = named ?? privateKey;
    if (from && descriptionOf(from.scheme).renews) return;
    const { notBefore, notAfter } = certificate;
    const lifetime = notAfter.getTime() - notBefore.getTime();
    const remaining = notAfter.getTime() - this.deps.now().getTime();
    if (remaining > Math.min(EXPIRY_WARNING, lifetime / 5)) return;
    if (this.#warnedAbout && sameBytes(this.#warnedAbout.encoded, certificate.encoded)) return;
    this.#warnedAbout = certificate;
    this.log(
      `warning: the certificate in ${labelOf(this.source)} expires at ` +
        `${formatTime(notAfter)}; renew it`,
    );
  }
}
