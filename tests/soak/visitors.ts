// deno-lint-ignore-file no-console -- its report is its output
/**
 * Clients that come and go. They send 200 requests a second for credentials over connections that
 * live for between one and 200 requests. Others send nothing, send half a request, or leave at
 * once. Prints one line of JSON with the results of each reporting period.
 *
 * Usage: deno run -A tests/soak/visitors.ts PORT PATH REQUESTS-PER-SECOND SECONDS SEED
 *
 * @module
 */
import { seededRandom } from "../x509/seeded_random.ts";

/** Results of one period. */
export interface VisitReport {
  readonly requests: number;
  /** Responses by status; "broken" for a connection that ended before the response. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Time of the slowest response, milliseconds. */
  readonly max: number;
  /** The same for responses during which this process itself was delayed. */
  readonly maxWhileLate: number;
}

/** Interval between reports, milliseconds. */
const REPORT_INTERVAL = 10_000;
/** Interval between checks of the clock, and the lateness that counts as a delay. */
const TICK = 10;
const LATE = 50;
const MAX_IDLE = 30_000;
const MAX_REQUESTS_PER_CONNECTION = 200;
/** Others that come with a thousand requests. */
const OTHERS = { silent: 5, half: 5, leaving: 10 } as const;
const OTHERS_LIFE = 5_000;

const [port, path = "", perSecond, seconds, seed] = Deno.args;
const random = seededRandom(Number(seed));
const address = { hostname: "127.0.0.1", port: Number(port) };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Visitor {
  readonly connection: Deno.TcpConn;
  left: number;
  /** Time of its last response. */
  since: number;
}

const free: Visitor[] = [];
let lateUntil = 0;
let report = emptyReport();
let token = await newToken();

function emptyReport() {
  return {
    requests: 0,
    statuses: {} as Record<string, number>,
    max: 0,
    maxWhileLate: 0,
  };
}

function print(): void {
  console.log(JSON.stringify(report satisfies VisitReport));
  report = emptyReport();
}

async function newToken(): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/latest/api/token`, { method: "PUT" });
  return await answer.text();
}

async function visit(): Promise<void> {
  report.requests += 1;
  const started = performance.now();
  let status = "broken";
  let visitor: Visitor | undefined;
  try {
    visitor = freshVisitor() ?? {
      connection: await Deno.connect(address),
      left: 1 + random(MAX_REQUESTS_PER_CONNECTION),
      since: started,
    };
    status = await ask(visitor.connection);
  } catch {
    // counted as broken
  }
  const milliseconds = performance.now() - started;
  report.statuses[status] = (report.statuses[status] ?? 0) + 1;
  if (started < lateUntil || performance.now() < lateUntil) {
    report.maxWhileLate = Math.max(report.maxWhileLate, milliseconds);
  } else report.max = Math.max(report.max, milliseconds);
  if (!visitor) return;
  visitor.left -= 1;
  visitor.since = performance.now();
  if (status !== "broken" && visitor.left > 0) free.push(visitor);
  else visitor.connection.close();
}

/**
 * Returns a free connection that serve has not closed for being idle (60 s), as pools of clients
 * do.
 */
function freshVisitor(): Visitor | undefined {
  for (let visitor; (visitor = free.shift());) {
    if (performance.now() - visitor.since < MAX_IDLE) return visitor;
    visitor.connection.close();
  }
  return undefined;
}

async function ask(connection: Deno.TcpConn): Promise<string> {
  await connection.write(encoder.encode(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nx-aws-ec2-metadata-token: ${token}\r\n\r\n`,
  ));
  const buffer = new Uint8Array(16_384);
  let text = "";
  let whole = Infinity;
  while (text.length < whole) {
    const length = await connection.read(buffer);
    if (length === null) return "broken";
    text += decoder.decode(buffer.subarray(0, length));
    const head = text.indexOf("\r\n\r\n");
    if (head >= 0) whole = head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  }
  return text.slice(9, 12);
}

async function otherVisit(sent: string, life: number): Promise<void> {
  try {
    const connection = await Deno.connect(address);
    if (sent !== "") await connection.write(encoder.encode(sent));
    setTimeout(() => connection.close(), life);
  } catch {
    // the next requests show it
  }
}

let lastTick = performance.now();
setInterval(() => {
  const now = performance.now();
  if (now - lastTick > LATE) lateUntil = now + LATE;
  lastTick = now;
}, TICK);
setInterval(print, REPORT_INTERVAL);
// Tokens expire and are requested again.
setInterval(() => void newToken().then((fresh) => token = fresh, () => {}), 30_000);

const begin = performance.now();
const end = begin + Number(seconds) * 1000;
for (let done = 0; performance.now() < end;) {
  const due = Math.floor((performance.now() - begin) / 1000 * Number(perSecond));
  for (; done < due; done++) {
    void visit();
    if (random(1000) < OTHERS.silent) void otherVisit("", OTHERS_LIFE);
    if (random(1000) < OTHERS.half) void otherVisit("GET / HTTP/1.1\r\nHo", OTHERS_LIFE);
    if (random(1000) < OTHERS.leaving) void otherVisit("", 0);
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
}
// By then, requests in flight have a response or are broken.
await new Promise((resolve) => setTimeout(resolve, 1000));
print();
Deno.exit(0);
