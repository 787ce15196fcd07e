/** Examples of packaging/monitoring: alert rules and dashboard, judged by promtool and Prometheus. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { readDocument } from "../support/documents.ts";
import { testWith } from "../support/needs.ts";
import { MONITORING, Prometheus, promtool } from "../support/prometheus.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PYTHON } from "../support/tools.ts";

const ALERTS = `${MONITORING}alerts.yml`;
const ALERTS_TEST = fileURLToPath(new URL("../fixtures/alerts_test.yml", import.meta.url));

/** Parts of Grafana's dashboard that the tests read. */
interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string | { readonly query: string };
      readonly datasource?: { readonly uid: string };
    }[];
  };
}
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly datasource: { readonly uid: string };
  readonly targets: readonly {
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: { readonly uid: string };
  }[];
}

const dashboard: Dashboard = JSON.parse(Deno.readTextFileSync(`${MONITORING}dashboard.json`));

const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr, legendFormat }) => ({ title, legendFormat, query: withValues(expr) }))
);

/** Replaces Grafana's variables as Grafana does it for one job and "All". */
function withValues(expression: string): string {
  const query = expression
    .replaceAll("$__rate_interval", "1m")
    .replaceAll("$job", "aws_signing_helper")
    .replaceAll("$instance", ".+");
  assert(!query.includes("$"), `${query} has an unknown variable`);
  return query;
}

/** Returns the names of metrics in a text: the ones with our prefix, and Prometheus' own. */
function metricNames(text: string): string[] {
  const texts = text.replaceAll(/"[^"]*"/g, "").match(/[a-zA-Z_:][a-zA-Z0-9_:]*/g) ?? [];
  return [...new Set(texts)].filter((word) =>
    /^(aws_signing_helper_|process_)/.test(word) || word === "up"
  ).toSorted();
}

testWith(["prometheus"], "promtool finds no mistake in alert rules and configuration", async () => {
  const rules = await promtool(["check", "rules", "--lint=all", "--lint-fatal", ALERTS]);
  assertEquals([rules.code, rules.stderr], [0, ""], rules.stdout);
  assertMatch(rules.stdout, /SUCCESS: 5 rules found/);
  const configuration = `${MONITORING}prometheus.yml`;
  const checked = await promtool(["check", "config", "--lint-fatal", configuration]);
  assertEquals([checked.code, checked.stderr], [0, ""], checked.stdout);
  assertMatch(checked.stdout, /alerts\.yml\n\s+SUCCESS: 5 rules found/);
});

testWith(["prometheus"], "each alert fires when it should, and not before", async () => {
  const { code, stdout, stderr } = await promtool(["test", "rules", ALERTS_TEST]);
  assertEquals(code, 0, stdout + stderr);
  // Each alert is expected at least once, and at least once not.
  const text = Deno.readTextFileSync(ALERTS_TEST);
  for (const [, name] of Deno.readTextFileSync(ALERTS).matchAll(/- alert: (\w+)/g)) {
    assertMatch(text, new RegExp(`alertname: ${name}\\n\\s+exp_alerts:`));
    assertMatch(text, new RegExp(`alertname: ${name} \\}`));
  }
  // The control: a rule that never fires fails the same tests.
  using directory = new TemporaryDirectory();
  const broken = Deno.readTextFileSync(ALERTS).replace("() < 300", "() < 0");
  const rules = directory.write("alerts.yml", broken);
  const test = directory.write(
    "alerts_test.yml",
    text.replace("../../packaging/monitoring/alerts.yml", rules),
  );
  const control = await promtool(["test", "rules", test]);
  assert(control.code !== 0, control.stdout);
});

testWith(["prometheus"], "promtool parses each query of the dashboard", async () => {
  assert(queries.length >= 11);
  using directory = new TemporaryDirectory();
  const check = async (queries: readonly string[]) => {
    // A rule for each query; JSON is YAML.
    const rules = queries.map((expr, i) => ({ record: `query:${i}`, expr }));
    const file = directory.write(
      "rules.yml",
      JSON.stringify({ groups: [{ name: "dashboard", rules }] }),
    );
    return await promtool(["check", "rules", file]);
  };
  const { code, stdout, stderr } = await check(queries.map(({ query }) => query));
  assertEquals(code, 0, stdout + stderr);
  assertMatch(stdout, new RegExp(`SUCCESS: ${queries.length} rules found`));
  assert((await check(["sum by (role (up)"])).code !== 0);
});

Deno.test("the dashboard has panels next to each other, and one variable for the data source", () => {
  assertEquals([dashboard.uid, dashboard.title], ["aws-signing-helper", "aws_signing_helper"]);
  const { panels, templating: { list } } = dashboard;
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    assert(x >= 0 && x + w <= 24);
    return Array.from({ length: w * h }, (_, i) => `${x + i % w} ${y + Math.floor(i / w)}`);
  });
  assertEquals(new Set(cells).size, cells.length);
  assertEquals(list.map(({ name }) => name), ["datasource", "job", "instance"]);
  const sources = [
    ...panels.flatMap(({ datasource, targets }) => [
      datasource.uid,
      ...targets.map(({ datasource }) => datasource.uid),
    ]),
    ...list.flatMap(({ datasource }) => datasource ? [datasource.uid] : []),
  ];
  assertEquals([...new Set(sources)], ["${datasource}"]);
});

testWith(["python-client"], "Grafana's own model reads all of the dashboard", async () => {
  const judge = async (dashboard: unknown) => {
    const script = fileURLToPath(new URL("../support/judge_dashboard.py", import.meta.url));
    const stdin = JSON.stringify(dashboard);
    const { code, stdout, stderr } = await runProgram(PYTHON, [script], { stdin });
    return code === 0 ? JSON.parse(stdout) : stderr;
  };
  assertEquals(await judge(dashboard), []);
  const [panel, ...others] = dashboard.panels;
  const unknown = { ...dashboard, panels: [{ ...panel, position: {} }, ...others] };
  assertEquals(await judge(unknown), ["/panels/0/position"]);
  assertMatch(await judge({ ...dashboard, panels: 1 }), /TypeError/);
});

testWith(
  ["binary", "prometheus"],
  "alerts, dashboard and commands.md name metrics that serve exports, and Prometheus has a result for each query",
  async () => {
    await using scenario = await SessionScenario.create(
      { notAfter: new Date(Date.now() + 3_600_000) },
      { sessionSeconds: 5 },
    );
    await using serve = await ServeProcess.start(scenario, ["--metrics"]);
    const page = await (await fetch(`${serve.url}/metrics`)).text();
    const exported = [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name);
    assert(exported.length >= 11);
    const variables = dashboard.templating.list.map(({ query }) =>
      typeof query === "string" ? "" : query.query
    );
    const texts = {
      alerts: Deno.readTextFileSync(ALERTS).match(/^\s*expr: (?:\|\n(?:\s{10,}.*\n)+|.*\n)/gm)
        ?.join("") ?? "",
      dashboard: [...queries.map(({ query }) => query), ...variables].join("\n"),
    };
    for (const [name, text] of Object.entries(texts)) {
      const used = metricNames(text).filter((metric) => metric !== "up");
      assert(used.length >= 4, name);
      assertEquals([name, used.filter((metric) => !exported.includes(metric))], [name, []]);
    }
    // The reference lists the exported metrics, without their prefix.
    const [, section = ""] = readDocument("commands.md").split("\n### Metrics\n");
    const [table = ""] = section.split("\n### ");
    const listed = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => `aws_signing_helper_${name}`)
    );
    assertEquals(
      [...listed, "process_start_time_seconds"].toSorted(),
      exported.toSorted(),
    );

    await using prometheus = await Prometheus.start({
      aws_signing_helper: new URL(serve.url).host,
    });
    // Two scrapes with other values, so that rates have a result.
    await prometheus.waitFor(
      'rate(aws_signing_helper_session_refreshes_total{result="success"}[1m])',
      ([rate]) => (rate?.value ?? 0) > 0,
    );
    await (await fetch(`${serve.url}/nothing`)).body?.cancel();
    for (const { title, query, legendFormat } of queries) {
      const series = await prometheus.waitFor(query, ({ length }) => length > 0);
      for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        assert(
          series.every(({ labels }) => labels[label] !== undefined),
          `${title}: no label ${label}`,
        );
      }
    }
    // The rules of the file are evaluated. The session is short, and so is the certificate's life.
    const rules = await prometheus.rules();
    assertEquals(
      rules.map(({ name, state, health }) =>
        // On a slow machine, it fires already.
        `${name} ${state.replace("firing", "pending")} ${health}`
      ),
      [
        "AwsSigningHelperDown inactive ok",
        "AwsSigningHelperSessionExpires pending ok",
        "AwsSigningHelperRefreshFails inactive ok",
        "AwsSigningHelperCertificateExpires inactive ok",
        "AwsSigningHelperCertificateExpired inactive ok",
      ],
    );
  },
);
