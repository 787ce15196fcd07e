/**
 * Names of profiles.
 *
 * @module
 */
import { HelperError, printableName } from "../../errors.ts";

/** What a name may not be, and why. The first that holds is told. */
const REFUSALS: readonly [RegExp, string][] = [
  [/^$/, "is empty"],
  [/^\s|\s$/, "begins or ends with a space"],
  [/[\p{C}\p{Zl}\p{Zp}]/u, "holds a character that cannot be seen"],
  // SDKs end the name, or the line, at each of these: the keys would go to another profile.
  [/[[\]#;]/, "holds one of [ ] # ;"],
  // Python's configparser gives what stands in [DEFAULT] to every profile.
  [/^DEFAULT$/, "stands for every profile at once; the usual profile is default, in small letters"],
  // The AWS SDK for JavaScript reads no profile at all from a file with such a section.
  [/^(profile )?__proto__$/, "is not read by AWS SDKs"],
];

/** Refuses a name that cannot be a profile's: `usage`, naming the flag by `source`. */
export function checkProfileName(name: string, source: string): void {
  const refusal = REFUSALS.find(([pattern]) => pattern.test(name));
  if (!refusal) return;
  throw new HelperError(
    "usage",
    `${source} "${printableName(name)}" cannot be a profile: it ${refusal[1]}`,
  );
}
