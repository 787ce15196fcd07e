/**
 * Keys that stand in the TPM, by their handles.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { formatHandle, parseHandle } from "../structures/handles.ts";
import type { TpmKey } from "./key.ts";
import { deserialize, find, readPublic, remember } from "../commands/objects.ts";
import { ATTRIBUTE, has, parsePublicArea } from "../structures/public_area.ts";
import type { TpmAccess } from "./transaction.ts";
import { withTpm } from "./with_tpm.ts";

/**
 * Reads what the TPM tells of the key at a handle; nobody is asked for a password.
 *
 * Throws `usage` when `text` is no handle, `KeyTypeError` when the key cannot be used by password.
 */
export async function findKey(text: string, access: TpmAccess): Promise<TpmKey> {
  const handle = parseHandle(text, access.label);
  const { encoded, remembered } = await withTpm(access, async ({ connection }) => {
    const object = await find(connection, handle, "find-key");
    return {
      encoded: await readPublic(connection, object, "find-key"),
      remembered: remember(connection, object),
    };
  });
  const publicArea = parsePublicArea(encoded);
  if (!has(publicArea, ATTRIBUTE.userWithAuth) && publicArea.hasPolicy) {
    throw new KeyTypeError(
      "it may be used with a policy alone, which a handle does not tell; name its TSS2 file, " +
        "with the policy in it",
    );
  }
  return {
    label: access.label,
    name: `the TPM key ${access.label}`,
    identity: `${formatHandle(handle)} ${encodeHex(encoded)}`,
    publicArea,
    policy: [],
    emptyAuth: false,
    load: ({ connection }) => Promise.resolve({ object: deserialize(connection, remembered) }),
  };
}
