/**
 * Requests one path repeatedly over keep-alive connections, and prints latencies as one line of JSON
 * (see `LoadReport` in `load_process.ts`). It uses raw sockets, because the client must cost less
 * than the server.
 *
 * Usage: deno run -A tests/support/load.ts HOST PORT PATH TOKEN CONNECTIONS SECONDS [REQUESTS] [samples]
 *
 * With `samples` it prints the start and duration of each request too.
 *
 * It ends after the given seconds or requests, whichever comes first.
 *
 * @module
 */
const isSampling = Deno.args.at(-1) === "samples";
const [host = "", port = "", path = "", token = "", connections = "1", seconds = "1", requests] =
  isSampling ? Deno.args.slice(0, -1) : Deno.args;
const maxRequests = requests === undefined ? Infinity : Number(requests);
const request = new TextEncoder().encode(
  `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
    `${token === "" ? "" : `x-aws-ec2-metadata-token: ${token}\r\n`}\r\n`,
);

/** Latencies in microseconds, counted by value up to a second. */
const histogram = new Uint32Array(1_000_001);
let [done, asked, refused, broken, cut, max] = [0, 0, 0, 0, 0, 0];
/** Pairs: milliseconds of the start since 1970, microseconds. */
const samples: number[] = [];
const started = performance.now();
const end = started + Number(seconds) * 1000;

async function ask(): Promise<void> {
  using connection = await Deno.connect({ hostname: host, port: Number(port) });
  connection.setNoDelay(true);
  const buffer = new Uint8Array(16_384);
  const decoder = new TextDecoder("latin1");
  while (asked < maxRequests && performance.now() < end) {
    asked += 1;
    const sent = performance.now();
    await connection.write(request);
    let text = "";
    let whole = Infinity;
    while (text.length < whole) {
      const length = await connection.read(buffer);
      if (length === null) {
        broken += 1;
        if (text !== "") cut += 1;
        return;
      }
      text += decoder.decode(buffer.subarray(0, length));
      const head = text.indexOf("\r\n\r\n");
      if (head >= 0 && whole === Infinity) {
        whole = head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      }
    }
    const microseconds = Math.round((performance.now() - sent) * 1000);
    if (isSampling) samples.push(Math.round(performance.timeOrigin + sent), microseconds);
    const slot = Math.min(microseconds, histogram.length - 1);
    histogram[slot] = (histogram[slot] ?? 0) + 1;
    max = Math.max(max, microseconds);
    done += 1;
    if (!text.startsWith("HTTP/1.1 200")) refused += 1;
    if (/connection: close/i.test(text)) return;
  }
}

function quantile(share: number): number {
  let seen = 0;
  for (let i = 0; i < histogram.length; i++) {
    seen += histogram[i] ?? 0;
    if (seen >= share * done) return i / 1000;
  }
  return max / 1000;
}

await Promise.all(Array.from({ length: Number(connections) }, () =>
  ask().catch(() => {
    broken += 1;
  })));
const elapsed = (performance.now() - started) / 1000;
const report = {
  requests: done,
  refused,
  broken,
  cut,
  perSecond: Math.round(done / elapsed),
  milliseconds: {
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
    max: max / 1000,
  },
  ...(isSampling ? { samples } : {}),
};
Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
Deno.exit(0);
