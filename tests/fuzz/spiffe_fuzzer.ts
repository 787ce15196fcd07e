import { concatenate } from "../../src/bytes.ts";
import { HelperError } from "../../src/errors.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { readTarget } from "../../plugins/spiffe/address.ts";
import { AgentError, toHelperError } from "../../plugins/spiffe/errors.ts";
import { readMessages } from "../../plugins/spiffe/frames.ts";
import { decodeResponse, readCertificates } from "../../plugins/spiffe/svid.ts";
import { DerError } from "../../src/x509/der.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { Mutator } from "../support/mutator.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import {
  derOf,
  type DoubleSvid,
  encodeResponse,
  grpcFrame,
  protobufField,
} from "../support/workload_api.ts";
import type { Fuzzer } from "./fuzzer.ts";

const ID = "spiffe://example.org/workload";
const WORDS = [
  "spiffe:",
  "spiffe://",
  "unix:",
  "unix:///",
  "tcp://127.0.0.1:",
  ";id=",
  ";",
  "?",
  "%2f",
]
  .concat([
    "\x0a",
    "\x12",
    "\x1a",
    "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    "\xff\xff\xff\xff\x0f",
  ]);
const URIS = [
  `spiffe:unix:///run/spire/agent.sock;id=${ID}`,
  `spiffe:tcp://127.0.0.1:8081;id=${ID}/a.b-c_d`,
  `spiffe:id=${ID}`,
  "spiffe:unix:/run/agent%20socket",
  "spiffe:",
];
/** Share of rounds with a URI, the others have a response: one of this number. */
const URI_ROUNDS = 4;
const MAX_CHUNK = 600;

/** Responses of the Workload API, damaged and in random pieces, and `spiffe:` URIs. */
export const fuzzer: Fuzzer = {
  shortRounds: 3000,
  longRounds: 100_000,
  async open(seed, directory) {
    const authority = await createAuthority(directory, { subject: "/CN=authority" });
    const svids: DoubleSvid[] = [];
    for (const id of [ID, `${ID}/other`]) {
      const { certificatePem, keyPem } = await issueCertificate(authority, {
        subject: "/CN=workload",
        extensions: { subjectAltName: `URI:${id}` },
      });
      svids.push({
        id,
        certificates: certificatePem,
        key: keyPem,
        bundle: authority.certificatePem,
      });
    }
    const [first] = svids;
    const federated = protobufField(3, protobufField(1, new TextEncoder().encode("spiffe://b")));
    const bodies = [
      grpcFrame(encodeResponse(svids)),
      concatenate([grpcFrame(encodeResponse(first ? [first] : [])), grpcFrame(federated)]),
    ];
    const mutator = new Mutator(seed, WORDS);
    const secrets = new SecretWindows();
    for (const { key } of svids) secrets.addBytes("a private key", derOf(key));
    return {
      round: () =>
        mutator.below(URI_ROUNDS) === 0
          ? readUri(mutator.mutateText(mutator.pick(URIS)))
          : readBody(mutator.mutate(mutator.pick(bodies)), mutator, secrets),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  },
};

function readUri(text: string): string {
  try {
    const uri = parseKeystoreUri(text, "--certificate");
    if (uri.scheme !== "spiffe") return "another scheme";
    return readTarget(uri, () => undefined).address.transport;
  } catch (thrown) {
    if (!(thrown instanceof HelperError) || thrown.code !== "usage") throw thrown;
    if (/\p{Cc}/u.test(thrown.message)) throw new Error("control characters in the message");
    return thrown.code;
  }
}

async function readBody(
  body: Uint8Array<ArrayBuffer>,
  mutator: Mutator,
  secrets: SecretWindows,
): Promise<string> {
  try {
    let messages = 0;
    for await (const message of readMessages(pieces(body, mutator))) {
      messages++;
      for (const { bundle } of decodeResponse(message)) readBundle(bundle);
    }
    return `${messages} messages`;
  } catch (thrown) {
    const said = toHelperError(thrown, "spiffe:").message;
    if (!(thrown instanceof AgentError)) throw thrown;
    if (secrets.findIn(said + thrown.message)) throw new Error("the message has a key");
    return thrown.failure;
  }
}

function readBundle(bundle: Uint8Array): void {
  try {
    readCertificates(bundle);
  } catch (thrown) {
    if (!(thrown instanceof AgentError) && !(thrown instanceof DerError)) throw thrown;
  }
}

async function* pieces(
  body: Uint8Array<ArrayBuffer>,
  mutator: Mutator,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < body.length;) {
    const length = 1 + mutator.below(MAX_CHUNK);
    yield body.slice(at, at + length);
    at += length;
  }
}
