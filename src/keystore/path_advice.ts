/**
 * Advice for a path that does not exist, for common mistakes in `credential_process` lines and
 * copied commands. Pure.
 *
 * @module
 */

/** TPM handle of a persistent or transient object (TCG TPM 2.0 part 2, section 7.2). */
const TPM_HANDLE = /^(0x)?8[01][0-9a-f]{6}$/i;

/** Returns advice for a path that does not exist; undefined if it has no known mistake. */
export function pathAdvice(path: string): string | undefined {
  if (TPM_HANDLE.test(path)) return `for a key in the TPM write handle:${path}`;
  if (/^~/.test(path)) return "~ is not expanded here; write the whole path";
  if (/\$\w|\$\{\w|^%\w+%/.test(path)) {
    return "variables are not expanded here; write the whole path";
  }
  if (/^["'\u2018-\u201f]/.test(path)) {
    return "the quotation marks are part of the path; remove them";
  }
  return undefined;
}
