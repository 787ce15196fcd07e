const FOLDER = new URL("../../../shared/data/", import.meta.url);

/** Whether the reference data stands beside the repository; it is not part of it. */
export const hasReferenceData = ((): boolean => {
  try {
    return Deno.statSync(FOLDER).isDirectory;
  } catch {
    return false;
  }
})();

/** The text of a file of the reference data, or `absent` where there is none. */
export function referenceText(name: string, absent: string): string {
  return hasReferenceData ? Deno.readTextFileSync(new URL(name, FOLDER)) : absent;
}
