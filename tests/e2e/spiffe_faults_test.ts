/** The `spiffe:` keystore with a double of the Workload API that fails in every way. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { runBinary, runProgram } from "../support/binary.ts";
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  issueCertificate,
} from "../support/certificates.ts";
import { formatPem } from "../../src/x509/pem.ts";
import { testWith } from "../support/needs.ts";
import { OtherUser } from "../support/other_user.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import {
  type Behaviour,
  derOf,
  type DoubleSvid,
  encodeResponse,
  grpcFrame,
  protobufField,
  WorkloadApiDouble,
  type WorkloadCall,
} from "../support/workload_api.ts";

const ID = "spiffe://example.org/workload";
/** The program waits 4 s for the agent; the rest is for a busy machine. */
const LIMIT = 30_000;
const MEGABYTE = 1 << 20;

const directory = new TemporaryDirectory();
globalThis.addEventListener("unload", () => directory[Symbol.dispose]());

const authority = await createAuthority(directory, { subject: "/CN=Agents' authority" });
const stranger = await createAuthority(directory, { subject: "/CN=Agents' authority" });

/** Issues an SVID. */
async function issue(
  { id = ID, issuer = authority, ...request }: Partial<CertificateRequest> & {
    readonly id?: string;
    readonly issuer?: Authority;
  } = {},
): Promise<DoubleSvid> {
  const { certificatePem, keyPem } = await issueCertificate(issuer, {
    subject: "/CN=workload",
    ...request,
    extensions: { subjectAltName: `URI:${id}`, ...request.extensions },
  });
  return { id, certificates: certificatePem, key: keyPem, bundle: authority.certificatePem };
}

const svid = await issue();
const response = encodeResponse([svid]);

/** Returns the key `other` with the public key of `owner`, which is at the end of both. */
function withPublicKeyOf(owner: string, other: string): string {
  const [point, mixed] = [derOf(owner).subarray(-65), derOf(other)];
  mixed.set(point, mixed.length - point.length);
  return formatPem("PRIVATE KEY", mixed);
}

let sockets = 0;

/** Starts a double on a Unix socket. */
function start(behaviour: Behaviour) {
  const path = directory.join(`agent-${sockets++}.sock`);
  const double = WorkloadApiDouble.start(path, behaviour);
  return { double, uri: `spiffe:unix://${path}` };
}

/** Runs the command on the double, and checks that it closed the connection. */
async function run(behaviour: Behaviour, command = "sign-string", flags: readonly string[] = []) {
  const { double, uri } = start(behaviour);
  await using _ = double;
  const began = performance.now();
  const result = await runBinary([command, "--certificate", uri, ...flags], { timeout: LIMIT });
  const milliseconds = performance.now() - began;
  for (let i = 0; double.connections > 0 && i < 1500; i++) await delay(20);
  assertEquals(double.connections, 0, "a connection is left");
  return { ...result, uri, milliseconds, calls: double.calls };
}

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Sends headers and these bytes, and leaves the stream open. */
const body = (...parts: readonly Uint8Array[]) => async (call: WorkloadCall) => {
  await call.headers();
  for (const part of parts) await call.data(part);
};

interface Fault {
  readonly what: string;
  readonly behaviour: Behaviour;
  readonly message: RegExp;
  /** The program waits, because the agent may be restarting or slow. */
  readonly isSlow?: true;
}

const wrongKey = await issue();
const expired = await issue({ notAfter: new Date(Date.now() - 60_000) });
const twoIds = await issue({
  extensions: { subjectAltName: `URI:${ID},URI:spiffe://example.org/other` },
});
const noId = await issue({ extensions: { subjectAltName: "DNS:workload" } });
const otherId = { ...svid, id: "spiffe://example.org/other" };

const NO_API = /not that of a SPIFFE Workload API; check that this is the agent's socket$/;
const CLOSED =
  /closed the stream(?: within a message)?; wait until it has restarted, or see its log$/;
const SILENT = /sent no SVID within 4 s; see its log$/;
const MALFORMED = /sent a malformed SVID; check that this is the agent's socket$/;

const FAULTS: readonly Fault[] = [
  {
    what: "PermissionDenied in the headers",
    behaviour: (call) => call.refuse(7, "no identity issued"),
    message: /no identity for this process \(PermissionDenied\); create an entry, .* unix:uid:\d+$/,
  },
  { what: "Unimplemented", behaviour: (call) => call.refuse(12, "unknown"), message: NO_API },
  {
    what: "another status",
    behaviour: (call) => call.refuse(3, "security header missing"),
    message: /refused the call; see its log, or run with --debug$/,
  },
  {
    what: "HTML",
    behaviour: (call) => call.headers({ "content-type": "text/html" }),
    message: NO_API,
  },
  { what: "404", behaviour: (call) => call.headers({ ":status": "404" }), message: NO_API },
  {
    what: "a redirect",
    behaviour: (call) => call.headers({ ":status": "307", "location": "http://127.0.0.1:1/" }),
    message: NO_API,
  },
  {
    what: "a compressed message",
    behaviour: body(new Uint8Array([1, 0, 0, 0, 1, 0])),
    message: NO_API,
  },
  {
    what: "a message of 4 GiB",
    behaviour: body(new Uint8Array([0, 255, 255, 255, 255])),
    message: /the response has more than 4 MiB; /,
  },
  {
    what: "a message of 4 MiB and one byte",
    behaviour: body(grpcFrame(new Uint8Array(10), 4 * MEGABYTE + 1)),
    message: /the response has more than 4 MiB; /,
  },
  {
    what: "4 MiB of 255",
    behaviour: body(grpcFrame(new Uint8Array(4 * MEGABYTE).fill(255))),
    message: MALFORMED,
  },
  {
    what: "4 MiB of empty SVIDs",
    behaviour: body(
      grpcFrame(new Uint8Array(4 * MEGABYTE).map((_, i) => i % 2 === 0 ? 0x0a : 0)),
    ),
    message: MALFORMED,
  },
  {
    what: "101 SVIDs",
    behaviour: (call) => call.send(Array.from({ length: 101 }, () => svid)),
    message: /has too many SVIDs or certificates; limit the entries that match this process$/,
  },
  {
    what: "101 certificates",
    behaviour: (call) => call.send([{ ...svid, certificates: svid.certificates.repeat(101) }]),
    message: /has too many SVIDs or certificates; limit the entries that match this process$/,
  },
  {
    what: "a response without SVIDs",
    behaviour: body(grpcFrame(new Uint8Array())),
    message: /no identity for this process/,
  },
  {
    what: "an SVID without a key",
    behaviour: body(
      grpcFrame(protobufField(1, protobufField(1, new TextEncoder().encode(ID)))),
    ),
    message: MALFORMED,
  },
  {
    what: "half a response",
    behaviour: body(grpcFrame(response.subarray(0, response.length / 2))),
    message: MALFORMED,
  },
  {
    what: "another SVID's key",
    behaviour: (call) => call.send([{ ...svid, key: wrongKey.key }]),
    message: /no certificate in spiffe:\S+ belongs to the private key in it$/,
  },
  {
    what: "a key whose public key is another one's",
    behaviour: (call) => call.send([{ ...svid, key: withPublicKeyOf(svid.key, wrongKey.key) }]),
    message: /not one private key/,
  },
  {
    what: "a certificate as key",
    behaviour: (call) => call.send([{ ...svid, key: svid.certificates }]),
    message: /not one private key/,
  },
  {
    what: "a certificate with another ID",
    behaviour: (call) => call.send([otherId]),
    message: /the certificate of the SVID has another SPIFFE ID; see the agent's log$/,
  },
  {
    what: "a certificate with two IDs",
    behaviour: (call) => call.send([twoIds]),
    message: /the certificate of the SVID has another SPIFFE ID; see the agent's log$/,
  },
  {
    what: "a certificate without an ID",
    behaviour: (call) => call.send([noId]),
    message: /the certificate of the SVID has another SPIFFE ID; see the agent's log$/,
  },
  { what: "silence", behaviour: (call) => call.ended, message: SILENT, isSlow: true },
  { what: "headers only", behaviour: (call) => call.headers(), message: SILENT, isSlow: true },
  {
    what: "half a frame of gRPC",
    behaviour: body(new Uint8Array(3)),
    message: SILENT,
    isSlow: true,
  },
  {
    what: "half a message",
    behaviour: body(grpcFrame(response.subarray(0, 100), response.length)),
    message: SILENT,
    isSlow: true,
  },
  {
    what: "a body of one byte a second",
    behaviour: async (call) => {
      await call.headers();
      for (const byte of grpcFrame(response).subarray(0, 20)) {
        await call.data(new Uint8Array([byte]));
        const pause = Promise.withResolvers<void>();
        const timer = setTimeout(pause.resolve, 1000);
        await Promise.race([pause.promise, call.ended]);
        clearTimeout(timer);
      }
    },
    message: SILENT,
    isSlow: true,
  },
  {
    what: "half a message and the end of the stream",
    behaviour: async (call) => {
      await body(grpcFrame(response.subarray(0, 100), response.length))(call);
      await call.trailers(0);
    },
    message: CLOSED,
    isSlow: true,
  },
  {
    what: "half a frame of HTTP/2 and the end of the connection",
    behaviour: async (call) => {
      await call.headers();
      await call.raw(new Uint8Array([0, 1, 0, 0, 0]));
      call.close();
    },
    message: CLOSED,
    isSlow: true,
  },
  {
    what: "PermissionDenied in trailers, which are not visible",
    behaviour: async (call) => {
      await call.headers();
      await call.trailers(7, "no identity issued");
    },
    message: CLOSED,
    isSlow: true,
  },
  {
    what: "GOAWAY",
    behaviour: async (call) => {
      await call.goAway();
      call.close();
    },
    message: /ended before a response in HTTP\/2; check that this is the agent's socket$/,
    isSlow: true,
  },
  {
    what: "a reset stream",
    behaviour: (call) => call.reset(),
    message: /ended before a response in HTTP\/2; /,
    isSlow: true,
  },
  {
    what: "HTTP/1.1",
    behaviour: async (call) => {
      await call.raw(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      call.close();
    },
    message: /ended before a response in HTTP\/2; /,
    isSlow: true,
  },
  {
    what: "UNAVAILABLE",
    behaviour: (call) => call.refuse(14, "shutting down"),
    message: /is not ready \(UNAVAILABLE\); wait until it has started$/,
    isSlow: true,
  },
];

/** Failures of a client that a flood reaches: its HTTP/2 may end the connection first. */
const FLOODED = new RegExp(
  [SILENT, CLOSED, /ended before a response in HTTP\/2; .*$/].map(({ source }) => source).join("|"),
);

Deno.test("spiffe: ends in time while frames come without end", async () => {
  const kinds = ["ping", "empty data", "settings", "continued headers"] as const;
  await Promise.all(kinds.map(async (kind) => {
    const { code, stderr, milliseconds } = await run((call) => call.flood(kind));
    assertEquals(code, 3, `${kind}: ${stderr}`);
    assertMatch(stderr.trim(), FLOODED, kind);
    assert(milliseconds < LIMIT);
  }));
});

async function checkFault({ what, behaviour, message, isSlow }: Fault): Promise<void> {
  const { code, stdout, stderr, milliseconds, calls } = await run(behaviour);
  assertEquals([code, stdout], [3, ""], `${what}: ${stderr}`);
  assertMatch(stderr.trim(), message, what);
  assertMatch(stderr, /^aws_signing_helper: [^\n]*\n$/, `${what}: one line`);
  if (!isSlow) assertEquals(calls, 1, `${what}: one call`);
  assert(milliseconds < LIMIT);
}

for (const fault of FAULTS.filter(({ isSlow }) => !isSlow)) {
  Deno.test(`spiffe: fails with ${fault.what}`, () => checkFault(fault));
}

Deno.test("spiffe: fails after 4 s with faults that an agent that restarts has, too", async () => {
  await Promise.all(FAULTS.filter(({ isSlow }) => isSlow).map(checkFault));
});

Deno.test("spiffe: uses an agent that becomes ready within 4 s", async () => {
  const { code, stderr, calls } = await run((call, number) =>
    number < 3 ? call.refuse(14, "starting") : call.send([svid])
  );
  assertEquals([code, stderr, calls], [0, "", 3]);
});

Deno.test("spiffe: uses an SVID that comes in pieces, and in two messages at once", async () => {
  const inPieces = await run(async (call) => {
    await call.headers();
    const frame = grpcFrame(response);
    for (let at = 0; at < frame.length; at += 100) await call.data(frame.subarray(at, at + 100));
  });
  assertEquals([inPieces.code, inPieces.stderr], [0, ""]);
  const twice = await run(
    body(new Uint8Array([...grpcFrame(response), ...grpcFrame(response)])),
  );
  assertEquals([twice.code, twice.stderr], [0, ""]);
});

Deno.test("spiffe: ignores fields that it does not know", async () => {
  const [hint, crl] = [
    protobufField(5, new TextEncoder().encode("internal")),
    protobufField(2, response),
  ];
  const { code, stderr } = await run(
    body(grpcFrame(new Uint8Array([...crl, 0x78, 1, ...response, ...protobufField(3, hint)]))),
  );
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("spiffe: an expired SVID vends no session", async () => {
  await using scenario = await SessionScenario.create({}, {
    trustAnchors: [authority.certificatePem],
  });
  const { code, stderr } = await run(
    (call) => call.send([expired]),
    "credential-process",
    scenario.serviceFlags,
  );
  assertEquals(code, 3);
  assertMatch(stderr, /the certificate in spiffe:\S+ expired at .*; renew it/);
  assertEquals(scenario.emulator.requests.length, 0);
});

Deno.test("spiffe: the debug output has no key, and no control characters of the agent", async () => {
  const good = await run((call) => call.send([svid]), "sign-string", ["--debug"]);
  assertStringIncludes(good.stderr, `debug: spiffe: ${ID}, valid until `);
  const bad = await run((call) => call.refuse(9, "%1B[31m red"), "sign-string", ["--debug"]);
  assertStringIncludes(bad.stderr, "status 9");
  assert(!bad.stderr.includes("\x1b"));
  const keyLines = svid.key.split("\n").filter((line) => line.length > 40);
  assertEquals(keyLines.filter((line) => good.stderr.includes(line)), []);
});

Deno.test("spiffe: doctor reports what Roles Anywhere refuses", async (t) => {
  const cases: readonly (readonly [string, DoubleSvid, RegExp])[] = [
    ["a CA", await issue({ ca: true }), /^problem +certificate-is-authority/m],
    [
      "no digital signature",
      await issue({ extensions: { keyUsage: "critical,keyEncipherment" } }),
      /^problem +certificate-key-usage/m,
    ],
    [
      "another trust domain's authority",
      await issue({ issuer: stranger }),
      /^problem +keystore-problem: spiffe:.*workload: no authority in the bundle of trust domain example.org issued/m,
    ],
    [
      "a malformed bundle",
      { ...svid, bundle: svid.key },
      /^problem +keystore-problem: the bundle of trust domain example.org is malformed/m,
    ],
  ];
  for (const [what, found, pattern] of cases) {
    await t.step(what, async () => {
      const { code, stdout } = await run((call) => call.send([found]), "doctor", ARN_FLAGS);
      assertEquals(code, 1);
      assertMatch(stdout, pattern);
    });
  }
  await t.step("an agent without an identity", async () => {
    const { stdout } = await run((call) => call.refuse(7, ""), "doctor", ARN_FLAGS);
    assertMatch(stdout, /^problem +key-not-found: spiffe:\S+: the SPIFFE agent has no identity/m);
  });
});

Deno.test("spiffe: names what is wrong with the address", async (t) => {
  const file = directory.write("file", "");
  const stale = directory.join("stale.sock");
  // As SIGKILL leaves it: SPIRE's own agent removes its socket only when it ends in order.
  const leave = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
  assertEquals((await runProgram("python3", ["-c", leave, stale])).code, 0);
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["spiffe:", 2, /spiffe:: SPIFFE_ENDPOINT_SOCKET is not set; set it, or use spiffe:unix:/],
    [
      `spiffe:unix://${directory.join("absent.sock")}`,
      3,
      /the agent's socket does not exist; start/,
    ],
    [`spiffe:unix://${file}/below`, 3, /the agent's socket does not exist; start/],
    [`spiffe:unix://${file}`, 3, /the path is not a socket; use that of the SPIFFE agent's/],
    [`spiffe:unix://${directory.path}`, 3, /the path is not a socket; use that of/],
    [`spiffe:unix://${stale}`, 3, /does not accept connections; start it, or wait/],
    ["spiffe:unix:relative", 2, /not an address of a Workload API; use unix:/],
    [`spiffe:unix:///${"x".repeat(108)}`, 2, /not an address of a Workload API; use unix:/],
    ["spiffe:tcp://192.0.2.1:8081", 2, /not an address of a Workload API; use unix:/],
    ["spiffe:tcp://localhost:8081", 2, /not an address of a Workload API; use unix:/],
    ["spiffe:tcp://127.0.0.1", 2, /not an address of a Workload API; use unix:/],
    ["spiffe:https://127.0.0.1:1/", 2, /not an address of a Workload API; use unix:/],
    [`spiffe:unix://${file};id=workload`, 2, /id is not a SPIFFE ID; use id=spiffe:/],
    [`spiffe:unix://${file};hint=x`, 2, /unknown attribute "hint"; the attribute is id/],
    [`spiffe:unix://${file}?pin-value=1`, 2, /a spiffe: URI has no "\?"/],
  ];
  await Promise.all(cases.map(([uri, expected, message]) =>
    t.step({
      name: uri.replace(directory.path, "…"),
      sanitizeOps: false,
      sanitizeResources: false,
      sanitizeExit: false,
      fn: async () => {
        const { code, stderr } = await runBinary(["sign-string", "--certificate", uri], {
          timeout: LIMIT,
        });
        assertEquals(code, expected, stderr);
        assertMatch(stderr, message);
      },
    })
  ));
});

testWith(["other-user"], "spiffe: names a socket that the user may not connect to", async () => {
  const { double, uri } = start((call) => call.send([svid]));
  await using _ = double;
  Deno.chmodSync(directory.path, 0o755);
  Deno.chmodSync(uri.slice("spiffe:unix://".length), 0o600);
  using other = new OtherUser();
  const { code, stderr } = await other.run(["sign-string", "--certificate", uri]);
  Deno.chmodSync(directory.path, 0o700);
  assertEquals(code, 3);
  assertMatch(stderr, /no permission to connect to the socket; run as a user who may write to it/);
});

Deno.test("spiffe: connects to loopback, whatever the proxy variables name", async () => {
  await using double = WorkloadApiDouble.start(undefined, (call) => call.send([svid]));
  const proxy = "http://127.0.0.1:1";
  const { code, stderr } = await runBinary(["sign-string", "--certificate", "spiffe:"], {
    env: {
      SPIFFE_ENDPOINT_SOCKET: `tcp://127.0.0.1:${double.port}`,
      HTTP_PROXY: proxy,
      http_proxy: proxy,
      ALL_PROXY: proxy,
      all_proxy: proxy,
    },
  });
  assertEquals([code, stderr, double.calls], [0, "", 1]);
});
