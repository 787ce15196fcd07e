import { assertEquals, assertNotEquals } from "@std/assert";
import { ownerOf, ownerRequest, SocketOwners } from "../../src/imds/listener/socket_owner.ts";
import { testWith } from "../support/needs.ts";

const CLIENT = { address: "127.0.0.1", port: 40_000 };
const SERVER = { address: "127.0.0.1", port: 9911 };
const REQUEST = ownerRequest(CLIENT, SERVER, 7);

/** Returns a reply as the kernel makes it for the request; `change` may damage it. */
function reply(change: (view: DataView<ArrayBuffer>) => void = () => {}): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(88);
  const view = new DataView(bytes.buffer);
  view.setUint16(4, 20, true); // SOCK_DIAG_BY_FAMILY
  view.setUint32(8, 7, true);
  view.setUint8(17, 1); // TCP_ESTABLISHED
  bytes.set(REQUEST.subarray(24, 60), 20);
  view.setUint32(80, 1000, true);
  view.setUint32(84, 4711, true); // inode
  change(view);
  return bytes;
}

Deno.test("ownerOf() returns the user of the socket that was asked for", () => {
  assertEquals(ownerOf(reply(), REQUEST), 1000);
});

const OTHERS: Readonly<Record<string, (view: DataView<ArrayBuffer>) => void>> = {
  "an error": (view) => view.setUint16(4, 2, true),
  "a listening socket on the client's port": (view) => view.setUint8(17, 10),
  "a socket that its program has closed": (view) => view.setUint32(84, 0, true),
  "another client's port": (view) => view.setUint16(20, 40_001),
  "another server's port": (view) => view.setUint16(22, 9912),
  "another client's address": (view) => view.setUint8(24, 10),
  "another server's address": (view) => view.setUint8(40, 10),
};

for (const [what, change] of Object.entries(OTHERS)) {
  Deno.test(`ownerOf() returns no user for ${what}`, () => {
    assertEquals(ownerOf(reply(change), REQUEST), undefined);
  });
}

Deno.test("ownerOf() returns no user for a short reply", () => {
  assertEquals(ownerOf(reply().slice(0, 84), REQUEST), undefined);
  assertEquals(ownerOf(new Uint8Array(0), REQUEST), undefined);
});

for (const hostname of ["127.0.0.1", "::1"]) {
  testWith(
    ["linux", ...hostname === "::1" ? ["ipv6-loopback"] as const : []],
    `userOf() returns this user for a connection at ${hostname} until it is closed`,
    async () => {
      using owners = new SocketOwners();
      using listener = Deno.listen({ hostname, port: 0 });
      const to = { address: hostname, port: listener.addr.port };
      const client = await Deno.connect({ hostname, port: to.port });
      using _server = await listener.accept();
      const from = { address: hostname, port: client.localAddr.port };
      assertEquals(owners.userOf(from, to), Deno.uid());
      // A socket that only sends no more still has its user.
      await client.closeWrite();
      assertEquals(owners.userOf(from, to), Deno.uid());
      assertEquals(
        owners.userOf({ ...from, address: hostname === "::1" ? "::2" : "127.0.0.2" }, to),
        undefined,
      );
      client.close();
      // The kernel has the socket for a while, and names root as its owner.
      assertEquals(owners.userOf(from, to), undefined);
      assertNotEquals(owners.userOf(to, from), undefined);
    },
  );
}
