/**
 * Time of everything built from this source, so that two builds of one commit are equal
 * (https://reproducible-builds.org/specs/source-date-epoch/).
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** Returns SOURCE_DATE_EPOCH, or the time of the commit; without either, the start of 2026. */
export async function sourceDate(): Promise<Date> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  if (given && /^\d+$/.test(given)) return new Date(Number(given) * 1000);
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["log", "-1", "--format=%ct"],
      cwd: fileURLToPath(new URL("..", import.meta.url)),
    }).output();
    const seconds = Number(new TextDecoder().decode(stdout).trim());
    if (success && seconds > 0) return new Date(seconds * 1000);
  } catch {
    // a source archive without git
  }
  return new Date("2026-01-01T00:00:00Z");
}
