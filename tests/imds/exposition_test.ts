import { assertEquals, assertThrows } from "@std/assert";

import { CONTENT_TYPE, formatMetrics, type Metric } from "../../src/imds/exposition.ts";

const metric = (parts: Partial<Metric>): Metric => ({
  name: "a",
  type: "gauge",
  help: "b",
  samples: [],
  ...parts,
});

Deno.test("formatMetrics() writes help, type and samples, with labels in the order of names", () => {
  assertEquals(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
  const text = formatMetrics([
    metric({
      name: "requests_total",
      type: "counter",
      help: "Requests",
      samples: [{ labels: { path: "x", code: "200" }, value: 3 }, { value: 0 }],
    }),
    metric({ name: "without_samples" }),
  ]);
  assertEquals(
    text,
    "# HELP requests_total Requests\n" +
      "# TYPE requests_total counter\n" +
      'requests_total{code="200",path="x"} 3\n' +
      "requests_total 0\n" +
      "# HELP without_samples b\n" +
      "# TYPE without_samples gauge\n",
  );
  assertEquals(formatMetrics([]), "");
});

Deno.test("formatMetrics() escapes labels and help", () => {
  const text = formatMetrics([
    metric({
      help: 'back\\slash "quote"\nline',
      samples: [
        { labels: { role: 'back\\slash "quote"\nline\\n' }, value: 1 },
        { labels: { role: 'x"} 1\na 2' }, value: 1 },
        { labels: { role: "ü\r\u2028\ud800" }, value: 1 },
        { labels: { role: "" }, value: 1 },
      ],
    }),
  ]);
  assertEquals(
    text,
    '# HELP a back\\\\slash "quote"\\nline\n' +
      "# TYPE a gauge\n" +
      'a{role="back\\\\slash \\"quote\\"\\nline\\\\n"} 1\n' +
      'a{role="x\\"} 1\\na 2"} 1\n' +
      'a{role="ü\r\u2028\ufffd"} 1\n' +
      'a{role=""} 1\n',
  );
});

Deno.test("formatMetrics() writes special values as Go reads them", () => {
  const values = [NaN, Infinity, -Infinity, 1795780800, 1.5, -0, 1e21, 5e-324];
  const samples = values.map((value, i) => ({ labels: { i: String(i) }, value }));
  const lines = formatMetrics([metric({ samples })]).trimEnd().split("\n").slice(2);
  assertEquals(
    lines.map((line) => line.split(" ")[1]),
    ["NaN", "+Inf", "-Inf", "1795780800", "1.5", "0", "1e+21", "5e-324"],
  );
});

const FORBIDDEN: Readonly<Record<string, readonly Metric[]>> = {
  "invalid metric name 1a": [metric({ name: "1a" })],
  "invalid metric name a-b": [metric({ name: "a-b" })],
  "invalid metric name ": [metric({ name: "" })],
  "duplicate metric a": [metric({}), metric({})],
  "invalid label name __a": [metric({ samples: [{ labels: { __a: "" }, value: 1 }] })],
  "invalid label name a:b": [metric({ samples: [{ labels: { "a:b": "" }, value: 1 }] })],
  "duplicate labels of a": [
    metric({
      samples: [{ labels: { x: "1", y: "2" }, value: 1 }, {
        labels: { y: "2", x: "1" },
        value: 2,
      }],
    }),
  ],
};

for (const [message, metrics] of Object.entries(FORBIDDEN)) {
  Deno.test(`formatMetrics() throws: ${message}`, () => {
    assertThrows(() => formatMetrics(metrics), RangeError, message);
  });
}
