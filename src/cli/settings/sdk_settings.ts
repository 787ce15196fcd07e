/**
 * Settings of `~/.aws/config` that replace flags, parsed like botocore. They come from the profile
 * in use and the `services` section that it names. Pure.
 *
 * @module
 */
import { readIniLines } from "../../credentials/profile/ini_lines.ts";
import type { Setting, Settings } from "../flags/flag_values.ts";
import type { FlagName } from "../flags/flags.ts";

/** The flag of each service's endpoint, by the service's name in a `services` section. */
const SERVICES = [["rolesanywhere", "endpoint"], ["sts", "sts-endpoint"]] as const;

/** A section of the file; a later setting of the same name replaces an earlier one. */
type Section = Map<string, string>;

/** Reads the settings of `profile` from the file's text. `path` is for messages. */
export function readSdkSettings(text: string, profile: string, path: string): Settings {
  const { profiles, services } = readSections(text);
  const section = profiles.get(profile);
  const settings = new Map<FlagName, Setting>();
  if (!section) return settings;
  const add = (flag: FlagName, value: string | undefined, name: string) => {
    if (value) settings.set(flag, { text: value, source: `${name} of [${profile}] in ${path}` });
  };
  const isTrue = (name: string) => {
    const value = section.get(name);
    return value === undefined ? undefined : String(value.toLowerCase() === "true");
  };
  add("ca-bundle", section.get("ca_bundle"), "ca_bundle");
  add("use-fips-endpoint", isTrue("use_fips_endpoint"), "use_fips_endpoint");
  add("use-dualstack-endpoint", isTrue("use_dualstack_endpoint"), "use_dualstack_endpoint");
  if (isTrue("ignore_configured_endpoint_urls") !== "true") {
    for (const [name, flag] of SERVICES) {
      const service = services.get(section.get("services") ?? "")?.get(name);
      const ofService = service && readNestedSettings(service).get("endpoint_url");
      add(flag, ofService || section.get("endpoint_url"), "endpoint_url");
    }
  }
  return settings;
}

/** The file's profiles and `services` sections, by name. */
interface Sections {
  readonly profiles: ReadonlyMap<string, Section>;
  readonly services: ReadonlyMap<string, Section>;
}

function readSections(text: string): Sections {
  const profiles = new Map<string, Section>();
  const services = new Map<string, Section>();
  let section: Section = new Map();
  let key = "";
  for (const { kind, name, value, visible, end } of readIniLines(text)) {
    if (kind === "section") {
      section = new Map();
      const [type, rest, ...more] = splitSectionName(name);
      if (name === "default") profiles.set(name, section);
      else if (rest === undefined || more.length > 0) continue;
      else if (type === "profile") profiles.set(rest, section);
      else if (type === "services") services.set(rest, section);
    } else if (kind === "setting") {
      section.set(key = name, text.slice(...value));
    } else if (kind === "continuation") {
      section.set(key, `${section.get(key)}\n${text.slice(visible, end).trimEnd()}`);
    }
  }
  return { profiles, services };
}

/** Returns the settings in the indented lines below a setting without a value of its own. */
function readNestedSettings(value: string): Section {
  const settings: Section = new Map();
  if (!value.startsWith("\n")) return settings;
  for (const line of value.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) settings.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return settings;
}

/**
 * Splits a section's name like Python's `shlex.split`, without escapes outside quotes. Returns an
 * empty list for an unterminated quote: botocore ignores such a section.
 */
function splitSectionName(name: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < name.length; at++) {
    const character = name.charAt(at);
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '"' || character === "'") {
      const end = findQuoteEnd(name, at);
      if (end === undefined) return [];
      const quoted = name.slice(at + 1, end);
      word = (word ?? "") + (character === '"' ? quoted.replace(/\\(["\\])/g, "$1") : quoted);
      at = end;
    } else {
      word = (word ?? "") + character;
    }
  }
  return word === undefined ? words : [...words, word];
}

/** Returns the end of the quote that begins at `start`. In double quotes `\` escapes. */
function findQuoteEnd(text: string, start: number): number | undefined {
  const quote = text.charAt(start);
  for (let at = start + 1; at < text.length; at++) {
    if (text.charAt(at) === quote) return at;
    if (quote === '"' && text.charAt(at) === "\\") at++;
  }
  return undefined;
}
