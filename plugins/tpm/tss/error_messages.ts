/**
 * Return codes of the TPM and its software stack in words.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import { decodeReturnCode } from "./libraries.ts";
import { MEANINGS, type ReturnCodeMessage } from "./return_code_messages.ts";
import { formatCode, TpmError } from "./return_codes.ts";

const meaningOf = ({ meaning, step }: TpmError): ReturnCodeMessage | undefined =>
  MEANINGS.find(({ codes, during }) =>
    codes.includes(meaning) && (during === undefined || during.includes(step))
  );

/** Whether the refusal may pass by itself, so that it is worth trying again. */
export function isRetryable(thrown: unknown): boolean {
  return thrown instanceof TpmError && meaningOf(thrown)?.passing === true;
}

/** The sentence for a refusal of the TPM in using the key at `label`. */
export function explain(error: TpmError, label: string): HelperError {
  const found = meaningOf(error);
  const number = formatCode(error.code);
  if (found) {
    return new HelperError(found.error, `${label}: ${found.words} (${number})`, { cause: error });
  }
  const words = decodeReturnCode(error.code) ?? "a code that is not known here";
  return new HelperError(
    "keystore-unavailable",
    `${label}: the TPM or its software stack failed at "${error.step}" with ${number} (${words})`,
    { cause: error },
  );
}
