/**
 * Names of profiles.
 *
 * @module
 */
import { HelperError, printableName } from "../../errors.ts";

/** Patterns of refused names, with the reason. The first match is reported. */
const REFUSALS: readonly [RegExp, string][] = [
  [/^$/, "is empty"],
  [/^\s|\s$/, "begins or ends with a space"],
  [/[\p{C}\p{Zl}\p{Zp}]/u, "contains an invisible character"],
  // SDKs end the name, or the line, at each of these: the keys would go to another profile.
  [/[[\]#;]/, "contains one of [ ] # ;"],
  // Python's configparser applies [DEFAULT] to every profile.
  [/^DEFAULT$/, "applies to every profile; the usual profile is default, in lower case"],
  // The AWS SDK for JavaScript reads no profile at all from a file with such a section.
  [/^(profile )?__proto__$/, "is not read by AWS SDKs"],
];

/** Throws `usage` for a name that cannot be a profile's; `source` is the flag. */
export function checkProfileName(name: string, source: string): void {
  const refusal = REFUSALS.find(([pattern]) => pattern.test(name));
  if (!refusal) return;
  throw new HelperError(
    "usage",
    `${source} "${printableName(name)}" cannot be a profile: it ${refusal[1]}`,
  );
}
