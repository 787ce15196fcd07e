/**
 * Runs an operation with a TPM key. Loads it, authorizes with password, session or policy, and
 * prompts again after a wrong password.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import type { Connection } from "../tss/connection.ts";
import { ESYS_TR } from "../structures/handles.ts";
import { Password, PasswordCache } from "../auth/passwords.ts";
import type { PolicyStep } from "../auth/policy.ts";
import { ATTRIBUTE, hasAttributes, type PublicArea } from "../structures/public_area.ts";
import {
  SESSION_ATTRIBUTE,
  SESSION_TYPE,
  setAttributes,
  setPassword,
} from "../commands/sessions.ts";
import { PasswordRejectedError, type TpmAccess, type Transaction } from "./transaction.ts";
import { withTpm } from "./with_tpm.ts";

/** A key that is in the TPM or can be loaded. */
export interface TpmKey {
  /** The user's name for the key. */
  readonly label: string;
  /** For messages and prompts, for instance "the TPM key handle:0x81000001". */
  readonly name: string;
  /** Unique; a key with a changed password has another one. */
  readonly identity: string;
  readonly publicArea: PublicArea;
  /** Policy to satisfy for each use; empty if only the password is needed. */
  readonly policy: readonly PolicyStep[];
  /** True if the key's file declares that it does not have a password. */
  readonly emptyAuth: boolean;
  /** For the parent's password; undefined if that is not needed. */
  readonly parent?: { readonly name: string; readonly identity: string };
  /** Loads the key into the TPM. */
  load(transaction: Transaction, parentPassword: Password | undefined): Promise<LoadedKey>;
}

/** A key in a transaction, by its ESYS_TR. */
export interface LoadedKey {
  readonly object: number;
  /** A loaded key that can salt sessions, if any. */
  readonly saltKey?: number;
}

/** An operation that needs a key. */
export interface KeyOperation<T> {
  /** Parameter encryption of the command's session, by {@link SESSION_ATTRIBUTE}. */
  readonly encryption: number;
  /** True if the parameters must be encrypted even without a password. */
  readonly confidential: boolean;
  run(connection: Connection, object: number, session: number): Promise<T>;
}

const PASSWORD_CACHE = new PasswordCache();
/** Maximum length of a TPM2B_AUTH. */
const MAX_AUTH_BYTES = 64;

/**
 * Runs an operation with a key. Prompts for passwords if needed. Errors other than a rejected
 * password are thrown without a retry.
 */
export async function runWithKey<T>(
  key: TpmKey,
  access: TpmAccess,
  operation: KeyOperation<T>,
  cache: PasswordCache = PASSWORD_CACHE,
): Promise<T> {
  const { context } = access;
  const parentPassword = key.parent && createParentPassword(key.parent, context, cache);
  const needsPassword = key.policy.length === 0 || key.policy.some((step) => step.needsPassword);
  const keyPassword = needsPassword ? createKeyPassword(key, context, cache) : undefined;
  for (;;) {
    const secret = await keyPassword?.current() ?? new Uint8Array(0);
    try {
      // Prompt now, before anything is loaded into the TPM.
      (await parentPassword?.current())?.fill(0);
      const result = await withTpm(access, async (transaction) => {
        const { object, saltKey } = await key.load(transaction, parentPassword);
        const isCounted = !hasAttributes(key.publicArea, ATTRIBUTE.noDA);
        if (isCounted && keyPassword?.isGuess) {
          await transaction.checkGuessAllowed(keyPassword.options);
        }
        const session = await authorize(transaction, key, { object, secret, saltKey, operation });
        return await transaction.runWithPassword(
          "key",
          () => operation.run(transaction.connection, object, session),
        );
      });
      keyPassword?.accept();
      return result;
    } catch (thrown) {
      const password = thrown instanceof PasswordRejectedError
        ? thrown.owner === "key" ? keyPassword : parentPassword
        : undefined;
      if (!(thrown instanceof PasswordRejectedError)) throw thrown;
      if (!password) {
        throw new HelperError(
          "key-locked",
          `${key.name}: the TPM requires a password; check the key's policy`,
        );
      }
      await password.reject(thrown.lockout);
    } finally {
      secret.fill(0);
    }
  }
}

interface Authorization {
  readonly object: number;
  readonly secret: Uint8Array;
  readonly saltKey: number | undefined;
  readonly operation: KeyOperation<unknown>;
}

/** Returns the session that authorizes one operation. */
async function authorize(
  transaction: Transaction,
  key: TpmKey,
  { object, secret, saltKey, operation }: Authorization,
): Promise<number> {
  const { connection } = transaction;
  if (secret.length > 0) setPassword(connection, object, secret);
  let session: number;
  if (key.policy.length > 0) {
    const { algorithm } = key.publicArea.nameHash;
    session = await transaction.startSession(SESSION_TYPE.policy, algorithm, saltKey);
    for (const step of key.policy) await step.run(connection, session);
  } else if (secret.length > 0 || operation.confidential) {
    session = await transaction.saltedSession(saltKey);
  } else return ESYS_TR.password;
  setAttributes(connection, session, SESSION_ATTRIBUTE.continue | operation.encryption);
  return session;
}

function createKeyPassword(key: TpmKey, context: KeystoreContext, cache: PasswordCache): Password {
  const { identity, name, emptyAuth, publicArea } = key;
  return new Password(
    {
      identity,
      name,
      flag: "tpm-key-password",
      noPassword: context.isOn("no-tpm-key-password"),
      tryEmpty: emptyAuth,
      maxBytes: publicArea.nameHash.length,
    },
    context,
    cache,
  );
}

function createParentPassword(
  { name, identity }: NonNullable<TpmKey["parent"]>,
  context: KeystoreContext,
  cache: PasswordCache,
): Password {
  return new Password(
    {
      identity,
      name,
      flag: "tpm-parent-password",
      noPassword: false,
      tryEmpty: true,
      maxBytes: MAX_AUTH_BYTES,
    },
    context,
    cache,
  );
}
