import { assertEquals } from "@std/assert";

import {
  CONNECTION_LIMITS,
  IdleConnections,
  maxConnections,
} from "../../src/imds/listener/idle_connections.ts";

const connections = (...ports: number[]) =>
  ports.map((clientPort) => ({ socket: clientPort, clientPort }));

function createIdle() {
  const clock = { time: 0 };
  return { clock, idle: new IdleConnections(() => clock.time, CONNECTION_LIMITS.max) };
}

Deno.test("overdue() returns connections without a request for a minute, and no other", () => {
  const { clock, idle } = createIdle();
  assertEquals(idle.overdue(connections(1, 2)), []);
  clock.time = CONNECTION_LIMITS.idle - 1;
  idle.onRequest(2, clock.time);
  assertEquals(idle.overdue(connections(1, 2)), []);
  clock.time += 2;
  assertEquals(idle.overdue(connections(1, 2)), connections(1));
  clock.time += CONNECTION_LIMITS.idle;
  assertEquals(idle.overdue(connections(2)), connections(2));
});

Deno.test("overdue() returns the longest idle connections if there are too many", () => {
  const { clock, idle } = createIdle();
  const ports = Array.from({ length: CONNECTION_LIMITS.max }, (_, i) => i + 1);
  idle.overdue(connections(...ports));
  clock.time = 10;
  idle.onRequest(1, clock.time);
  clock.time = 20;
  assertEquals(idle.overdue(connections(...ports, 9001, 9002)), connections(2, 3));
});

Deno.test("overdue() returns a crowd with no or one request before a connection in use", () => {
  const { clock, idle } = createIdle();
  const crowd = Array.from({ length: CONNECTION_LIMITS.max }, (_, i) => i + 100);
  idle.onRequest(1, clock.time); // in use: two requests, and then the crowd comes
  idle.onRequest(1, clock.time);
  clock.time = 10;
  for (const port of crowd.slice(2)) idle.onRequest(port, clock.time);
  clock.time = 20;
  assertEquals(idle.overdue(connections(1, ...crowd)), connections(100));
  clock.time = 30;
  assertEquals(idle.overdue(connections(1, 2, 3, 4, ...crowd)), connections(100, 101, 2, 3));
});

Deno.test("overdue() treats a reused port as a new connection", () => {
  const { clock, idle } = createIdle();
  idle.overdue(connections(1));
  clock.time = CONNECTION_LIMITS.idle / 2;
  idle.overdue([]);
  clock.time = CONNECTION_LIMITS.idle + 1;
  assertEquals(idle.overdue(connections(1)), []);
});

Deno.test("idleFor() returns Infinity until the first request", () => {
  const { clock, idle } = createIdle();
  assertEquals(idle.idleFor(1), Infinity);
  idle.onRequest(1, clock.time);
  clock.time = 5;
  assertEquals(idle.idleFor(1), 5);
});

Deno.test("maxConnections() leaves descriptors for other files if the limit is low", () => {
  assertEquals(maxConnections(undefined), 512);
  assertEquals(maxConnections(1 << 20), 512);
  assertEquals(maxConnections(1024), 480);
  assertEquals(maxConnections(300), 118);
  assertEquals(maxConnections(10), 1);
});
