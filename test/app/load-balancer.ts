// A load balancer that takes no look at its instances: it sends to those that it
// was told of, in turn, over connections that it keeps, and tries nothing twice.

import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

let instances: number[] = [];
let turn = 0;
const agent = new Agent({ keepAlive: true });

process.on("message", (ports: number[]) => {
  instances = ports;
  process.send?.("told");
});

const balancer = createServer((incoming, response) => {
  turn += 1;
  const port = instances[turn % instances.length];
  const sent = request({ host: "127.0.0.1", port, path: incoming.url, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, { "x-instance": port });
    answer.pipe(response);
  });
  sent.once("error", ({ message }) => response.writeHead(502).end(message));
  sent.end();
});
balancer.listen(0, "127.0.0.1", () => process.send?.((balancer.address() as AddressInfo).port));
process.on("disconnect", () => process.exit());
