// A request whose handler ends the process: nobody will answer it, so it holds nobody
// up, and the others are answered.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { get } from "node:http";
import { test } from "node:test";
import { withProgram } from "../support/program.ts";
import { printed, run } from "../support/run.ts";

const ways = {
  "process.exit(3)": 3,
  "await null; process.exit(3)": 3,
  "await new Promise((done) => setTimeout(done, 5)); process.exit(3)": 3,
  'throw new Error("broken")': 1,
  'response.write("a part"); process.exit(3)': 3,
};

/** Where to know whose request it is costs something, it is not known. */
const skip = "_enable" in AsyncLocalStorage.prototype ? "Node 20 and 22 wait for it until the grace is over" : false;

for (const [way, status] of Object.entries(ways)) {
  test(`it is cut after a second, and a request beside it is answered: ${way}`, { skip }, async () => {
    const source = `
      import { createServer } from "node:http";
      import { configure } from "atexit";
      import { server } from "atexit/resources";
      configure({ grace: 600_000 });
      let answer;
      const http = createServer(async (request, response) => {
        if (request.url === "/slow") {
          answer = () => response.end("answered");
          console.log("slow");
          return;
        }
        ${way};
      });
      // When the client has seen the one cut, the other is answered.
      process.stdin.once("data", () => answer());
      server(http);
      http.listen(0, "127.0.0.1", () => console.log("port", http.address().port));`;
    await withProgram(source, "program.mjs", async (path) => {
      const ended = await run(process.execPath, [path], {
        stdio: ["pipe", "pipe", "pipe"],
        async act(child) {
          let output = "";
          child.stdout?.on("data", (data) => (output += data));
          await printed(child, "\n");
          const port = Number(/port (\d+)/.exec(output)?.[1]);
          const slow = ask(port, "/slow");
          await printed(child, "slow\n");
          assert.equal(await ask(port, "/exit"), "cut");
          child.stdin?.end("now\n");
          assert.equal(await slow, "answered");
        },
      });
      assert.equal(ended.code, status, ended.stderr);
    });
  });
}

/** Resolves to the whole answer, or to "cut". */
function ask(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ port, host: "127.0.0.1", path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      response.once("error", () => {});
      response.once("close", () => resolve(response.complete ? text : "cut"));
    });
    request.once("error", () => resolve("cut"));
  });
}
