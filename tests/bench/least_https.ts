/**
 * The least program that makes one HTTPS request, for the benchmark: what the runtime itself takes for it.
 *
 * Arguments: the port on loopback, and a PEM file of its certificate.
 */
const [port, certificate = ""] = Deno.args;
// As the loader does: the cryptographic library gathers entropy in another thread.
const entropy = crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const caCerts = [Deno.readTextFileSync(certificate)];
const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
// Otherwise the request waits up to 40 ms for the acknowledgement of the handshake.
connection.setNoDelay();
await entropy;
const tls = await Deno.startTls(connection, { hostname: "localhost", caCerts });
const lines = ["POST /sessions HTTP/1.1", "host: localhost", "content-length: 2"];
await tls.write(new TextEncoder().encode([...lines, "connection: close", "", "{}"].join("\r\n")));
await tls.read(new Uint8Array(4096));
Deno.exit(0);
