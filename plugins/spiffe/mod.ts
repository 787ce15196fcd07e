/**
 * The `spiffe:` keystore: X.509-SVIDs of the SPIFFE Workload API, as SPIRE's agent implements it.
 *
 * Key and certificates stay in memory. A long-running command keeps the stream open, so that each
 * refresh uses the current SVID. Another command reads one response and closes the connection.
 *
 * @module
 */
import { HelperError, printableName } from "../../src/errors.ts";
import type {
  CertificateLister,
  Diagnoser,
  Keystore,
  KeystoreContext,
  SoftwareKey,
} from "../../src/keystore/types.ts";
import { unavailableKeystore } from "../../src/keystore/unavailable.ts";
import type { KeystoreUri } from "../../src/keystore/uri.ts";
import { readTarget, type Target } from "./address.ts";
import { diagnoseSvid, MAX_LISTED_IDS } from "./diagnosis.ts";
import type { Svid } from "./svid.ts";
import { SvidSource } from "./svid_source.ts";
import { streamSvids } from "./workload_api.ts";

/** Sources of long-running commands, by their `lifetime` and the URI's text. */
const sources = new WeakMap<object, Map<string, SharedSource>>();

/** Keystore of this machine. Throws on Windows, whose agents listen on named pipes. */
export const keystore: Keystore = Deno.build.os === "windows"
  ? unavailableKeystore("spiffe", "Linux and macOS")
  : createKeystore();

function createKeystore(): Keystore & CertificateLister & Diagnoser {
  return {
    openKey,
    async readCertificates(uri, context) {
      await using use = useSource(uri, context);
      return (await use.source.svid()).certificates;
    },
    async listCertificates(uri, context) {
      const target = readTarget(uri, context.environment);
      const svids = await readSvids(target, context);
      return svids.filter(({ id }) => target.id === undefined || id === target.id)
        .map(({ id, certificates: [certificate] }) => ({
          certificate,
          uri: `${target.name};id=${id}`,
        }));
    },
    async diagnose(uri, context) {
      const target = readTarget(uri, context.environment);
      const svids = await readSvids(target, context);
      return await diagnoseSvid(target, chooseSvid(svids, target), svids, context.now());
    },
  };
}

/** Opens the key of the current SVID. The source lives as long as the signer. */
async function openKey(uri: KeystoreUri, context: KeystoreContext): Promise<SoftwareKey> {
  await using owned = new AsyncDisposableStack();
  const { source } = owned.use(useSource(uri, context));
  const { certificates, key } = await source.svid();
  return { softwareKey: key.slice(), certificates, inMemory: true, resource: owned.move() };
}

interface SharedSource {
  readonly source: SvidSource;
  users: number;
}

interface SourceUse extends AsyncDisposable {
  readonly source: SvidSource;
}

/** Returns the source of a URI: that of the long-running command, or a new one. */
function useSource(uri: KeystoreUri, context: KeystoreContext): SourceUse {
  const target = readTarget(uri, context.environment);
  if (!context.lifetime) return toUse({ source: createSource(target, context), users: 0 });
  const known = sources.get(context.lifetime) ?? new Map<string, SharedSource>();
  sources.set(context.lifetime, known);
  const key = `${target.name};${target.id ?? ""}`;
  const shared = known.get(key) ?? { source: createSource(target, context), users: 0 };
  known.set(key, shared);
  return toUse(shared, () => known.delete(key));
}

/** Counts a use. The source is closed with the last one. */
function toUse(shared: SharedSource, forget: () => void = () => {}): SourceUse {
  shared.users++;
  return {
    source: shared.source,
    [Symbol.asyncDispose]: async () => {
      if (--shared.users > 0) return;
      forget();
      await shared.source[Symbol.asyncDispose]();
    },
  };
}

function createSource(
  target: Target,
  context: KeystoreContext,
  choose = (svids: readonly Svid[]) => chooseSvid(svids, target),
): SvidSource {
  return new SvidSource({
    open: (signal) => streamSvids(target.address, signal),
    choose,
    name: target.name,
    now: context.now,
    info: context.info,
    debug: context.debug,
  });
}

/** Returns the SVID with the wanted ID, or the first one, the default by the API's rule. */
function chooseSvid(svids: readonly Svid[], { id, name }: Target): Svid {
  const chosen = id === undefined ? svids[0] : svids.find((svid) => svid.id === id);
  if (chosen) return chosen;
  const ids = svids.slice(0, MAX_LISTED_IDS).map((svid) => printableName(svid.id)).join(", ");
  const more = svids.length > MAX_LISTED_IDS ? ` or ${svids.length - MAX_LISTED_IDS} others` : "";
  throw new HelperError(
    "key-not-found",
    `${name};id=${printableName(id ?? "")}: this process has no SVID with this ID; ` +
      `use id=${ids}${more}`,
  );
}

/** Reads all SVIDs of one response. Their keys are wiped. */
async function readSvids(target: Target, context: KeystoreContext): Promise<readonly Svid[]> {
  let all: readonly Svid[] = [];
  await using source = createSource(target, context, (svids) => {
    all = svids;
    return chooseSvid(svids, { name: target.name, address: target.address });
  });
  await source.svid();
  return all;
}
