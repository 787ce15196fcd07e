/**
 * A key that the TPM can be asked to use, and using it: password, session or policy, and another try
 * when the password was wrong.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import type { Connection } from "../tss/connection.ts";
import { ESYS } from "../structures/handles.ts";
import { Password, PasswordMemory } from "../auth/passwords.ts";
import type { PolicyStep } from "../auth/policy.ts";
import { ATTRIBUTE, has, type PublicArea } from "../structures/public_area.ts";
import {
  SESSION_ATTRIBUTE,
  SESSION_KIND,
  setAttributes,
  setPassword,
} from "../commands/sessions.ts";
import { PasswordRefusedError, type TpmAccess, type Transaction } from "./transaction.ts";
import { withTpm } from "./with_tpm.ts";

/** A key that is in the TPM or can be brought there. */
export interface TpmKey {
  /** As the user named it. */
  readonly label: string;
  /** For messages and questions, for instance "the TPM key handle:0x81000001". */
  readonly name: string;
  /** Tells it from every other key, also from one that had its password changed. */
  readonly identity: string;
  readonly publicArea: PublicArea;
  /** What must be satisfied at each use; empty: the password alone. */
  readonly policy: readonly PolicyStep[];
  /** It says of itself that it has no password. */
  readonly emptyAuth: boolean;
  /** Names its parent's password; absent when that plays no part. */
  readonly parent?: { readonly name: string; readonly identity: string };
  /** Brings it into the TPM. */
  load(transaction: Transaction, parentPassword: Password | undefined): Promise<LoadedKey>;
}

/** A key in a transaction, by its ESYS number. */
export interface LoadedKey {
  readonly object: number;
  /** A key that sessions can be salted with, when there is one at hand. */
  readonly saltKey?: number;
}

/** What is done with a key. */
export interface Use<T> {
  /** What the command's session encrypts, by {@link SESSION_ATTRIBUTE}. */
  readonly encryption: number;
  /** Nothing may be sent in the clear, password or not. */
  readonly confidential: boolean;
  run(connection: Connection, object: number, session: number): Promise<T>;
}

const MEMORY = new PasswordMemory();
/** TPM2B_AUTH's room, in bytes. */
const MAX_AUTH_BYTES = 64;

/**
 * Uses a key once. Asks for passwords as far as needed; whatever the TPM refuses for another reason
 * is told and not tried again.
 */
export async function runWithKey<T>(
  key: TpmKey,
  access: TpmAccess,
  use: Use<T>,
  memory: PasswordMemory = MEMORY,
): Promise<T> {
  const { context } = access;
  const parentPassword = key.parent && passwordOfParent(key.parent, context, memory);
  const needsPassword = key.policy.length === 0 || key.policy.some((step) => step.needsPassword);
  const keyPassword = needsPassword ? passwordOfKey(key, context, memory) : undefined;
  for (;;) {
    const secret = await keyPassword?.current() ?? new Uint8Array(0);
    try {
      // Whoever must be asked is asked now, while nothing is loaded and nobody waits for the TPM.
      (await parentPassword?.current())?.fill(0);
      const result = await withTpm(access, async (transaction) => {
        const { object, saltKey } = await key.load(transaction, parentPassword);
        const isCounted = !has(key.publicArea, ATTRIBUTE.noDA);
        if (isCounted && keyPassword?.isGuess) await transaction.checkGuess(keyPassword.options);
        const session = await authorize(transaction, key, { object, secret, saltKey, use });
        return await transaction.usingPassword(
          "key",
          () => use.run(transaction.connection, object, session),
        );
      });
      keyPassword?.accepted();
      return result;
    } catch (thrown) {
      const password = thrown instanceof PasswordRefusedError
        ? thrown.subject === "key" ? keyPassword : parentPassword
        : undefined;
      if (!(thrown instanceof PasswordRefusedError)) throw thrown;
      if (!password) throw new HelperError("key-locked", `${key.name}: the TPM wants a password`);
      await password.refused(thrown.lockout);
    } finally {
      secret.fill(0);
    }
  }
}

interface Authorization {
  readonly object: number;
  readonly secret: Uint8Array;
  readonly saltKey: number | undefined;
  readonly use: Use<unknown>;
}

/** The session that authorizes one use. */
async function authorize(
  transaction: Transaction,
  key: TpmKey,
  { object, secret, saltKey, use }: Authorization,
): Promise<number> {
  const { connection } = transaction;
  if (secret.length > 0) setPassword(connection, object, secret);
  let session: number;
  if (key.policy.length > 0) {
    const { algorithm } = key.publicArea.nameHash;
    session = await transaction.startSession(SESSION_KIND.policy, algorithm, saltKey);
    for (const step of key.policy) await step.run(connection, session);
  } else if (secret.length > 0 || use.confidential) {
    session = await transaction.saltedSession(saltKey);
  } else return ESYS.passwordSession;
  setAttributes(connection, session, SESSION_ATTRIBUTE.continue | use.encryption);
  return session;
}

function passwordOfKey(key: TpmKey, context: KeystoreContext, memory: PasswordMemory): Password {
  const { identity, name, emptyAuth, publicArea } = key;
  return new Password(
    {
      identity,
      name,
      flag: "tpm-key-password",
      none: context.isOn("no-tpm-key-password"),
      guessEmpty: emptyAuth,
      max: publicArea.nameHash.length,
    },
    context,
    memory,
  );
}

function passwordOfParent(
  { name, identity }: NonNullable<TpmKey["parent"]>,
  context: KeystoreContext,
  memory: PasswordMemory,
): Password {
  return new Password(
    {
      identity,
      name,
      flag: "tpm-parent-password",
      none: false,
      guessEmpty: true,
      max: MAX_AUTH_BYTES,
    },
    context,
    memory,
  );
}
