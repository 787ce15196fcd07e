import { assertEquals, assertThrows } from "@std/assert";
import { SocketFile } from "../../src/imds/listener/unix_socket.ts";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

testWith(["linux"], "SocketFile leaves nothing if its path is taken", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("helper.sock");
  const names = () => [...Deno.readDirSync(directory.path)].map(({ name }) => name);
  const file = new SocketFile(path);
  using _listener = Deno.listen({ transport: "unix", path: file.bound });
  directory.write("helper.sock", "a file");
  assertThrows(() => file.publish(), Deno.errors.AlreadyExists);
  file.remove();
  assertEquals(names(), ["helper.sock"]);
  assertEquals(Deno.readTextFileSync(path), "a file");
});

testWith(["linux"], "SocketFile moves a socket to its path, and removes it", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("helper.sock");
  const names = () => [...Deno.readDirSync(directory.path)].map(({ name }) => name);
  const file = new SocketFile(path);
  using _listener = Deno.listen({ transport: "unix", path: file.bound });
  file.publish();
  assertEquals(names(), ["helper.sock"]);
  file.remove();
  assertEquals(names(), []);
});
