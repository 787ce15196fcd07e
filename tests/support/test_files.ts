/**
 * Test files of the repository.
 *
 * @module
 */

/** Folders whose tests run the binary or take long. */
const NOT_UNIT = ["e2e", "clients", "soak", "release", "fuzz", "fresh", "systems"];

/** Returns the sorted paths of the test files below a folder. */
export function testFilesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? testFilesBelow(`${folder}/${name}`)
      : name.endsWith("_test.ts")
      ? [`${folder}/${name}`]
      : []
  ).toSorted();
}

/** Returns true for the path of a unit test. */
export function isUnitTest(path: string): boolean {
  return !NOT_UNIT.includes(path.split("/")[1] ?? "");
}
