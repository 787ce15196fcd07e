import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";

import type { ErrorCode } from "../../src/errors.ts";
import { createSender, type HttpOptions } from "../../src/http/http_client.ts";
import type { HttpRequest } from "../../src/http/request.ts";
import { testWith } from "../support/needs.ts";
import { ConnectProxy } from "../support/connect_proxy.ts";
import { makeServerCertificate } from "../rolesanywhere/tls_authority.ts";
import { refusal } from "../support/refusal.ts";

const OPTIONS: HttpOptions = { verifyServer: true, extraAuthorities: [], userAgent: "test/1" };
const SERVER = await makeServerCertificate(["localhost", "127.0.0.1"]);

/** Starts a server on loopback that is shut down on disposal. */
function serve(handler: Deno.ServeHandler, tls?: { cert: string; key: string }) {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve({ ...options, ...tls }, handler);
  return {
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Starts a listener that calls `then` for each connection. */
function listen(then: (connection: Deno.Conn) => void | Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const served = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      await then(connection);
    }
  })();
  return {
    port: listener.addr.port,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await served;
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // closed by the test
        }
      }
    },
  };
}

function request(url: string): HttpRequest {
  return {
    url: new URL(url),
    method: "POST",
    headers: new Map([["content-type", "application/json"], ["x-amz-date", "20260102T030405Z"]]),
    body: new TextEncoder().encode('{"durationSeconds":900}'),
  };
}

const send = (url: string, options: Partial<HttpOptions> = {}, timeout = 5000) =>
  createSender({ ...OPTIONS, ...options })(request(url), timeout);

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const proxyAt = (address: string) => ({
  url: new URL(`http://${address}`),
  variable: "HTTPS_PROXY",
});

const challenge = (...schemes: string[]) =>
  `HTTP/1.1 407 Proxy Authentication Required\r\n${
    schemes.map((scheme) => `Proxy-Authenticate: ${scheme}\r\n`).join("")
  }\r\n`;

const PROXY_REFUSALS: Record<string, { response: string; message: string; code?: ErrorCode }> = {
  "refuses": { response: "HTTP/1.1 403 Forbidden\r\n\r\n", message: "403" },
  "cannot reach the service": {
    response: "HTTP/1.1 502 Bad Gateway\r\n\r\n",
    message: "502",
    code: "network",
  },
  "requires a password": {
    response: "HTTP/1.0 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
    message: "407",
  },
  "refuses the password": {
    response: challenge('Basic realm="p, NTLM"'),
    message: "rejected the user and password (407)",
  },
  "accepts Basic too": {
    response: challenge("Negotiate", "NTLM", "Basic"),
    message: "rejected the user",
  },
  "wants NTLM": {
    response: challenge("NTLM"),
    message: "requires NTLM authentication (407); only Basic is supported",
  },
  "requires NTLM or Negotiate": {
    response: challenge("Negotiate", "NTLM"),
    message: "requires NTLM or Negotiate authentication (407)",
  },
  "does not speak HTTP": {
    response: "SSH-2.0-OpenSSH\r\n\r\n",
    message: "HTTP proxy",
    code: "network",
  },
  "sends nothing": { response: "\r\n\r\n", message: "HTTP proxy", code: "network" },
};

/** Tests for verified and unverified connections. */
for (const verifyServer of [true, false]) {
  const sender = verifyServer ? "createSender()" : "createSender() without verification";
  const sendBy = (url: string, options?: Partial<HttpOptions>, timeout?: number) =>
    send(url, { verifyServer, ...options }, timeout);

  Deno.test(`${sender} sends method, path, headers and body unchanged`, async () => {
    let seen: unknown;
    await using server = serve(async (incoming) => {
      const url = new URL(incoming.url);
      seen = [
        incoming.method,
        url.pathname + url.search,
        incoming.headers.get("host"),
        incoming.headers.get("x-amz-date"),
        incoming.headers.get("user-agent"),
        incoming.headers.get("transfer-encoding"),
        await incoming.text(),
      ];
      return new Response("ok", { status: 201, headers: { "X-Amzn-RequestId": "id" } });
    });
    const response = await sendBy(`http://127.0.0.1:${server.port}/a%20b/sessions?x=%2F`);
    assertEquals([response.status, text(response.body)], [201, "ok"]);
    assertEquals([response.headers.get("x-amzn-requestid"), response.headers.get("x-none")], [
      "id",
      undefined,
    ]);
    assertEquals(seen, [
      "POST",
      "/a%20b/sessions?x=%2F",
      `127.0.0.1:${server.port}`,
      "20260102T030405Z",
      "test/1",
      null,
      '{"durationSeconds":900}',
    ]);
  });

  Deno.test(`${sender} does not follow a redirect`, async () => {
    let calls = 0;
    await using server = serve(() => {
      calls++;
      return new Response(null, { status: 307, headers: { location: "/elsewhere" } });
    });
    assertEquals((await sendBy(`http://127.0.0.1:${server.port}/`)).status, 307);
    assertEquals(calls, 1);
  });

  Deno.test(`${sender} throws service-answer when the response is larger than 1 MiB`, async () => {
    await using server = serve((incoming) => {
      const size = Number(new URL(incoming.url).searchParams.get("size"));
      return new Response(new Uint8Array(size));
    });
    const url = `http://127.0.0.1:${server.port}/?size=`;
    assertEquals((await sendBy(`${url}${1 << 20}`)).body.length, 1 << 20);
    await refusal(() => sendBy(`${url}${(1 << 20) + 1}`), "service-answer");
  });

  Deno.test(`${sender} throws network when the connection is refused`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const error = await refusal(() => sendBy(`https://127.0.0.1:${port}/`), "network");
    assertStringIncludes(error, `127.0.0.1:${port}`);
  });

  Deno.test(`${sender} throws service-answer when the response is not HTTP`, async () => {
    await using server = listen(async (connection) => {
      await connection.write(new TextEncoder().encode("220 mail.example.com ESMTP\r\n"));
      await connection.read(new Uint8Array(65_536));
    });
    await refusal(() => sendBy(`http://127.0.0.1:${server.port}/`), "service-answer");
  });

  Deno.test(`${sender} throws network-timeout when no response comes in time`, async () => {
    await using server = listen(() => {});
    const started = performance.now();
    const error = await refusal(
      () => sendBy(`http://127.0.0.1:${server.port}/`, {}, 200),
      "network-timeout",
    );
    assertLess(performance.now() - started, 60_000);
    assertStringIncludes(error, "0.2 s");
  });

  Deno.test(`${sender} throws network at once when the connection closes in the TLS handshake`, async () => {
    await using server = listen((connection) => answerAndClose(connection, undefined));
    const started = performance.now();
    await refusal(() => sendBy(`https://127.0.0.1:${server.port}/`, {}, 60_000), "network");
    assertLess(performance.now() - started, 30_000);
  });

  Deno.test(`${sender} goes through an HTTP proxy, with its user and password`, async () => {
    await using server = serve(
      (incoming) => new Response(incoming.headers.get("proxy-authorization") ?? "none"),
      SERVER,
    );
    await using proxy = new ConnectProxy();
    const response = await sendBy(`https://localhost:${server.port}/`, {
      extraAuthorities: [SERVER.authority],
      proxy: proxyAt(`us%40er:pa%3Ass@127.0.0.1:${proxy.port}`),
    });
    assertEquals(text(response.body), "none");
    const [head = ""] = proxy.heads;
    assertStringIncludes(head, `CONNECT localhost:${server.port} HTTP/1.1\r\n`);
    assertStringIncludes(
      head.toLowerCase(),
      `proxy-authorization: basic ${btoa("us@er:pa:ss")}`.toLowerCase(),
    );
  });

  for (const [what, { response, message, code = "proxy" }] of Object.entries(PROXY_REFUSALS)) {
    Deno.test(`${sender} throws ${code} without the password when the proxy ${what}`, async () => {
      await using proxy = new ConnectProxy(response);
      const options = { proxy: proxyAt(`user:secret@127.0.0.1:${proxy.port}`) };
      const error = await refusal(() => sendBy("https://localhost:1/", options), code);
      assertEquals(error.includes("secret"), false);
      assertStringIncludes(error, `the proxy 127.0.0.1:${proxy.port} (HTTPS_PROXY)`);
      assertStringIncludes(error, message);
    });
  }

  Deno.test(`${sender} throws network-timeout when the proxy hangs`, async () => {
    await using proxy = listen(() => {});
    const options = { proxy: proxyAt(`127.0.0.1:${proxy.port}`) };
    const message = await refusal(
      () => sendBy("https://localhost:1/", options, 300),
      "network-timeout",
    );
    assertStringIncludes(message, `; connected through the proxy 127.0.0.1:${proxy.port}`);
  });

  Deno.test(`${sender} names the proxy variable that it ignores when a connection fails`, async () => {
    const message = await refusal(
      () => sendBy("https://127.0.0.1:9/", { ignoredProxy: "HTTPS_PROXY is ignored (why)" }),
      "network",
    );
    assertStringIncludes(message, "127.0.0.1:9 refuses connections");
    assertEquals(message.endsWith("; HTTPS_PROXY is ignored (why)"), true, message);
  });
}

/** Behaviour of a server, and the sender's result. */
const BROKEN: Record<string, string | undefined> = {
  "nothing was sent": undefined,
  "the head is cut off": "HTTP/1.1 201 Created\r\ncontent-le",
  "the body is cut off": "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nhalf",
  "a chunk is cut off": "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n64\r\nhalf",
};

async function answerAndClose(connection: Deno.Conn, response: string | undefined): Promise<void> {
  await connection.read(new Uint8Array(65_536));
  if (response !== undefined) await connection.write(new TextEncoder().encode(response));
  connection.close();
}

for (const [when, response] of Object.entries(BROKEN)) {
  Deno.test(`createSender() throws network when the connection closes and ${when}`, async () => {
    await using server = listen((connection) => answerAndClose(connection, response));
    await refusal(() => send(`http://127.0.0.1:${server.port}/`), "network");
  });

  Deno.test(`createSender() without verification throws network when the connection closes and ${when}`, async () => {
    await using server = listen((connection) => answerAndClose(connection, response));
    assertEquals(await sendUnverified(`http://127.0.0.1:${server.port}/`), "network");
  });
}

const HANGING: Record<string, { scheme: string; response: string }> = {
  "the response does not end": { scheme: "http", response: BROKEN["the body is cut off"] ?? "" },
  "the TLS handshake hangs": { scheme: "https", response: "" },
};

for (const [when, { scheme, response }] of Object.entries(HANGING)) {
  const hang = async (connection: Deno.Conn) => {
    await connection.read(new Uint8Array(65_536));
    await connection.write(new TextEncoder().encode(response));
  };

  Deno.test(`createSender() throws network-timeout when ${when}`, async () => {
    await using server = listen(hang);
    const url = `${scheme}://127.0.0.1:${server.port}/`;
    await refusal(() => send(url, {}, 300), "network-timeout");
  });

  Deno.test(`createSender() without verification throws network-timeout when ${when}`, async () => {
    await using server = listen(hang);
    assertEquals(
      await sendUnverified(`${scheme}://127.0.0.1:${server.port}/`),
      "network-timeout",
    );
  });
}

/**
 * Returns the outcome of a request without verification within half a minute. It runs in another process,
 * which can be stopped, and which an unhandled rejection ends instead of this one.
 */
async function sendUnverified(url: string): Promise<string> {
  const stopped = AbortSignal.timeout(30_000);
  const script = import.meta.resolve("../rolesanywhere/send_unverified.ts");
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-check", script, url],
    stderr: "null",
    signal: stopped,
  }).output();
  return stopped.aborted ? "still at it after 30 s" : text(stdout);
}

for (
  const [hostname, host, needs] of [
    ["127.0.0.1", "localhost", []],
    ["127.0.0.1", "127.0.0.1", []],
    ["::1", "[::1]", ["ipv6-loopback"]],
  ] as const
) {
  testWith(
    needs,
    `createSender() without verification accepts a certificate of a wrong name, date and authority: ${host}`,
    async () => {
      const wrong = await makeServerCertificate(["example.com"], {
        notAfter: new Date(Date.now() - 86_400_000),
      });
      await using server = Deno.serve(
        { hostname, port: 0, cert: wrong.cert, key: wrong.key, onListen: () => {} },
        (incoming) => new Response(incoming.headers.get("host")),
      );
      const authority = `${host}:${server.addr.port}`;
      const response = await send(`https://${authority}/`, { verifyServer: false });
      assertEquals(text(response.body), authority);
    },
  );
}

Deno.test("createSender() throws tls when the other side does not speak TLS", async () => {
  await using server = serve(() => new Response("ok"));
  await refusal(() => send(`https://127.0.0.1:${server.port}/`), "tls");
});

Deno.test("createSender() trusts the authorities in its options", async () => {
  await using server = serve(() => new Response("ok"), SERVER);
  const response = await send(`https://localhost:${server.port}/`, {
    extraAuthorities: [SERVER.authority],
  });
  assertEquals(text(response.body), "ok");
});

Deno.test("createSender() throws tls, naming --ca-bundle, when the authority is unknown", async () => {
  await using server = serve(() => new Response("ok"), SERVER);
  const error = await refusal(() => send(`https://localhost:${server.port}/`), "tls");
  assertStringIncludes(error, "--ca-bundle");
});

Deno.test("createSender() throws tls when the certificate is for another name or has expired", async () => {
  const wrong = {
    "another name": await makeServerCertificate(["example.com"]),
    "not valid at this time": await makeServerCertificate(["localhost"], {
      notAfter: new Date(Date.now() - 86_400_000),
    }),
  };
  for (const [why, certificate] of Object.entries(wrong)) {
    await using server = serve(() => new Response("ok"), certificate);
    const error = await refusal(
      () =>
        send(`https://localhost:${server.port}/`, { extraAuthorities: [certificate.authority] }),
      "tls",
    );
    assertStringIncludes(error, why);
  }
});

Deno.test("send() names the source of a host name that cannot be found", async () => {
  const url = "https://no-such-host.invalid";
  const message = (options: Partial<HttpOptions>) => refusal(() => send(url, options), "network");
  assertEquals(
    await message({ hostSetting: "the region in --trust-anchor-arn" }),
    "no-such-host.invalid cannot be found; check the region in --trust-anchor-arn and DNS",
  );
  assertEquals(
    await message({ endpointSetting: "AWS_ENDPOINT_URL" }),
    "no-such-host.invalid cannot be found; check AWS_ENDPOINT_URL and DNS",
  );
});
