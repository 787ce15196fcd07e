// The same response from Node's http server.
import { createServer } from "node:http";

import process from "node:process";
const body = "x".repeat(Number(process.argv[2] ?? 678));
const server = createServer((_request, response) => {
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": String(body.length),
  });
  response.end(body);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
