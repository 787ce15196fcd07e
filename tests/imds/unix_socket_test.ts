import { assertEquals, assertThrows } from "@std/assert";
import { SocketFile } from "../../src/imds/listener/unix_socket.ts";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** A socket that is bound, but not yet at its path. */
class BoundSocket implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly path = this.directory.join("helper.sock");
  readonly file = new SocketFile(this.path);
  readonly #listener = Deno.listen({ transport: "unix", path: this.file.bound });

  get names(): string[] {
    return [...Deno.readDirSync(this.directory.path)].map(({ name }) => name);
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.directory[Symbol.dispose]();
  }
}

testWith(["linux"], "SocketFile leaves nothing if its path is taken", () => {
  using socket = new BoundSocket();
  socket.directory.write("helper.sock", "a file");
  assertThrows(() => socket.file.publish(), Deno.errors.AlreadyExists);
  socket.file.remove();
  assertEquals(socket.names, ["helper.sock"]);
  assertEquals(Deno.readTextFileSync(socket.path), "a file");
});

testWith(["linux"], "SocketFile moves a socket to its path, and removes it", () => {
  using socket = new BoundSocket();
  socket.file.publish();
  assertEquals(socket.names, ["helper.sock"]);
  socket.file.remove();
  assertEquals(socket.names, []);
});
