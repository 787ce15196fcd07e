/** Pages in a real browser try to get a token from `serve` of the real binary. */
import { assert, assertEquals } from "@std/assert";

import { Chromium } from "../support/chromium.ts";
import { testWith } from "../support/needs.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/**
 * Runs in the page. It requests a token from each base URL by every means of a page. It returns
 * what it could read, by means.
 */
const ATTACK = `async (bases) => {
  const TOKEN = "/latest/api/token", TTL = "x-aws-ec2-metadata-token-ttl-seconds";
  const read = {};
  const attempt = async (name, action) => {
    const late = new Promise((done) => setTimeout(() => done("no answer"), 5000));
    try { read[name] = String(await Promise.race([action(), late])); }
    catch (error) { read[name] = "error: " + error; }
  };
  const text = async (response) => (await response).text();
  const frameText = (frame) => new Promise((done) => {
    frame.onload = () => {
      // The first load may be the empty page that a form replaces.
      if (frame.contentDocument?.URL === "about:blank") return;
      try { done(frame.contentDocument.documentElement.textContent); }
      catch (error) { done("error: " + error); }
      if (frame.contentDocument === null) done("not readable");
    };
  });
  const addFrame = (name) => {
    const frame = document.createElement("iframe");
    frame.name = name;
    document.documentElement.append(frame);
    return frame;
  };
  const xhr = (method, url, headers) => new Promise((done) => {
    const request = new XMLHttpRequest();
    request.onload = () => done(request.responseText);
    request.onerror = () => done("error");
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send();
  });
  for (const base of bases) {
    const at = (name) => name + " " + base;
    const url = base + TOKEN, headers = { [TTL]: "60" };
    await attempt(at("fetch PUT"), () => text(fetch(url, { method: "PUT", headers })));
    await attempt(at("fetch PUT without headers"), () => text(fetch(url, { method: "PUT" })));
    await attempt(at("fetch PUT no-cors"), () => text(fetch(url, { method: "PUT", mode: "no-cors" })));
    await attempt(at("fetch PUT with Host"), () =>
      text(fetch(url, { method: "PUT", headers: { ...headers, Host: "127.0.0.1" } })));
    await attempt(at("fetch POST overridden"), () =>
      text(fetch(url, { method: "POST", mode: "no-cors", body: "_method=PUT" })));
    await attempt(at("fetch GET no-cors"), () => text(fetch(url, { mode: "no-cors" })));
    await attempt(at("fetch credentials"), () => text(fetch(base + ${
  JSON.stringify(CREDENTIALS_PATH)
})));
    await attempt(at("fetch container"), () => text(fetch(base + "/role/Demo")));
    await attempt(at("XHR PUT"), () => xhr("PUT", url, headers));
    await attempt(at("XHR PUT without headers"), () => xhr("PUT", url, {}));
    await attempt(at("beacon"), () => navigator.sendBeacon(url, "x"));
    await attempt(at("iframe"), () => {
      const frame = addFrame("a"), done = frameText(frame);
      frame.src = url;
      return done;
    });
    for (const method of ["post", "put"]) {
      await attempt(at("form " + method), () => {
        const frame = addFrame("form-" + method + base), done = frameText(frame);
        const form = document.createElement("form");
        Object.assign(form, { action: url, target: frame.name });
        form.setAttribute("method", method);
        document.documentElement.append(form);
        form.submit();
        return done;
      });
    }
    await attempt(at("websocket"), () => new Promise((done) => {
      const socket = new WebSocket(url.replace(/^http/, "ws"));
      socket.onmessage = ({ data }) => done(data);
      socket.onopen = () => done("open");
      socket.onerror = () => done("error");
    }));
    await attempt(at("event source"), () => new Promise((done) => {
      const source = new EventSource(url);
      source.onmessage = ({ data }) => done(data);
      source.onerror = () => done("error");
    }));
    await attempt(at("script"), () => new Promise((done) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => done("loaded");
      script.onerror = () => done("error");
      document.documentElement.append(script);
    }));
    await attempt(at("worker"), () => new Promise((done) => {
      const code = "fetch(" + JSON.stringify(url) + ", { method: 'PUT' })" +
        ".then((r) => r.text()).then(postMessage, (e) => postMessage('error: ' + e))";
      const worker = new Worker(URL.createObjectURL(new Blob([code])));
      worker.onmessage = ({ data }) => done(data);
      worker.onerror = () => done("error");
    }));
    await attempt(at("service worker"), async () => {
      const registration = await navigator.serviceWorker.register("/service_worker.js");
      const worker = registration.active ?? registration.installing ?? registration.waiting;
      const answered = new Promise((done) => {
        navigator.serviceWorker.onmessage = ({ data }) => done(data);
      });
      await navigator.serviceWorker.ready;
      worker.postMessage(url);
      return await answered;
    });
  }
  return read;
}`;

const SERVICE_WORKER = `onmessage = ({ data, source }) =>
  fetch(data, { method: "PUT" }).then((r) => r.text())
    .then((text) => source.postMessage(text), (error) => source.postMessage("error: " + error))`;

/** Serves an attacker's page on loopback. */
function attacker(): { port: number } & AsyncDisposable {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) =>
      new URL(request.url).pathname === "/service_worker.js"
        ? new Response(SERVICE_WORKER, { headers: { "content-type": "text/javascript" } })
        : new Response("<!doctype html><title>page</title>", {
          headers: { "content-type": "text/html" },
        }),
  );
  return {
    port: (server.addr as Deno.NetAddr).port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Returns the means by which a token or credentials were read. */
function successes(read: Record<string, string>): string[] {
  return Object.entries(read)
    .filter(([, text]) => /^[A-Za-z0-9+/]{56}$|ASIA|AccessKeyId/.test(text))
    .map(([name]) => name);
}

testWith(["program:chromium"], "no page in a browser gets a token from serve", async (t) => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario, ["--debug", "--container-credentials"]);
  await using page = attacker();
  await using browser = await Chromium.start();
  const own = `http://127.0.0.1:${serve.port}`;
  const attack = async (url: string, bases: readonly string[]) => {
    const expression = `(${ATTACK})(${JSON.stringify(bases)})`;
    return await browser.evaluate(url, expression) as Record<string, string>;
  };
  /** Requests since line `from` of the log, and those that a page must not get answered. */
  const answered = (from: number) => {
    const requests = serve.binary.lines.slice(from).flatMap((line) => {
      const [entry] = /\{"event":"request".*\}$/.exec(line) ?? [];
      return entry === undefined ? [] : [JSON.parse(entry) as { path: string; status: number }];
    });
    const granted = requests.filter(({ path, status }) => path !== "/healthz" && status === 200);
    return { count: requests.length, granted };
  };

  await t.step("the attack works from a page of serve's own address", async () => {
    const read = await attack(`${own}/healthz`, [own]);
    assertEquals(
      successes(read).map((name) => name.replace(` ${own}`, "")),
      [
        "fetch PUT",
        "fetch PUT without headers",
        "fetch PUT with Host",
        "XHR PUT",
        "XHR PUT without headers",
        "worker",
      ],
      JSON.stringify(read),
    );
  });

  // The name resolves to 127.0.0.1 now: what runs in this page is of the same origin as serve.
  for (const host of ["rebound.example", "rebound.localhost", "127.0.0.1.nip.io"]) {
    await t.step(`DNS rebinding of ${host}`, async () => {
      const from = serve.binary.lines.length;
      const origin = `http://${host}:${serve.port}`;
      const read = await attack(`${origin}/`, [origin, own, `http://localhost:${serve.port}`]);
      assertEquals(successes(read), [], JSON.stringify(read));
      assertEquals(read[`fetch PUT ${origin}`]?.startsWith(`Host ${host}: not a name`), true);
      const { count, granted } = answered(from);
      assert(count > 20, `${count} requests arrived`);
      assertEquals(granted, []);
    });
  }

  // A page of another local server is a secure context, and may have a service worker.
  for (const host of ["attacker.example", "localhost", "127.0.0.1"]) {
    await t.step(`a cross-origin page of ${host}`, async () => {
      const from = serve.binary.lines.length;
      const read = await attack(
        `http://${host}:${page.port}/`,
        [own, `http://localhost:${serve.port}`, `http://rebound.example:${serve.port}`],
      );
      assertEquals(successes(read), [], JSON.stringify(read));
      const worker = read[`service worker ${own}`] ?? "";
      const expected = host === "attacker.example"
        ? /undefined/
        : /^error: TypeError: Failed to fetch/;
      assert(expected.test(worker), worker);
      const { count, granted } = answered(from);
      assert(count > 20, `${count} requests arrived`);
      assertEquals(granted, []);
    });
  }
  assertEquals((await serve.end()).code, 0);
});
