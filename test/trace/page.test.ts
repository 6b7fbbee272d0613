/// <reference lib="dom" />

// The page, in a real browser, opened as a reader opens it: from a file. Its
// screenshots are kept in build/screenshots, to be looked at.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { type Browser, chromium as driver, type Page } from "playwright-core";
import { HOSTILE, type MadeUpShutdown, writeTrace } from "../support/made-up-trace.ts";
import { repository } from "../support/package-under-test.ts";
import { provideChromium } from "../support/chromium.ts";
import { atexit, inPlace } from "../support/place.ts";

const screenshots = join(repository, "build/screenshots");
const chromium = provideChromium();
const missing = "missing" in chromium && chromium.missing;

/** What the browser itself would do on the network. */
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
];

const NAMES = ["listen", "drain", "flush", "release", "close"];

const MIXED: MadeUpShutdown = {
  length: 900,
  outcome: "given up",
  grace: 900,
  cleanups: [
    { name: "http server", from: 5, to: 205, site: "listen (file:///app/server.js:12:3)" },
    { name: "queue", from: 205, to: 405, outcome: "timed out", waitingOn: ["a connection to 10.0.0.7:5672"] },
    { name: "cache", from: 405, to: 415, outcome: "failed", error: "Error: the cache is gone" },
    { name: "pool", from: 415, to: 895, outcome: "given up", site: "file:///app/db.js:3:1" },
    { name: "connection", from: 420, to: 600, within: 3 },
    { name: "log", from: 895, to: 896 },
  ],
};

const MANY: MadeUpShutdown = {
  length: 10_000,
  cleanups: Array.from({ length: 1_000 }, (_, n) => ({
    name: `${NAMES[n % NAMES.length]} ${n}`,
    from: n * 10,
    to: n * 10 + (n % 50 === 0 ? 9 : 2),
    site: `file:///app/module-${n}.js:${n}:1`,
  })),
};

describe("the page", { skip: missing }, () => {
  let browser: Browser;

  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    // The sandbox of the browser is not for root.
    const args = process.getuid?.() === 0 ? ["--no-sandbox", ...QUIET] : QUIET;
    if ("missing" in chromium) throw new Error(chromium.missing);
    browser = await driver.launch({ executablePath: chromium.command, args });
  });

  after(() => browser?.close());

  /** Opens the page of a shutdown; anything on its console is an error, and so is any request. */
  async function withPage(
    shutdowns: readonly MadeUpShutdown[],
    options: { colorScheme?: "light" | "dark"; format?: "html" | "svg"; width?: number },
    body: (page: Page) => Promise<void>,
  ): Promise<void> {
    const { colorScheme = "light", format = "html", width = 1_200 } = options;
    await inPlace(async (place) => {
      const files = shutdowns.map((shutdown, index) => {
        const file = join(place.work, `${index}.trace.json`);
        writeTrace(file, shutdown);
        return file;
      });
      const out = join(place.work, `out.${format}`);
      const { code, stderr } = await atexit(place, ["report", ...files, "-o", out]);
      assert.equal(code, 0, stderr);
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("request", (request) => {
        if (request.url() !== pathToFileURL(out).href) complaints.push(`asks for ${request.url()}`);
      });
      try {
        await page.goto(pathToFileURL(out).href);
        await body(page);
        assert.deepEqual(complaints, []);
      } finally {
        await context.close();
      }
    });
  }

  const shot = async (page: Page, name: string) =>
    writeFileSync(join(screenshots, `${name}.png`), await page.screenshot());

  it("opens without a complaint, and has a row for each cleanup", () =>
    withPage([MIXED], {}, async (page) => {
      assert.equal(await page.title(), "server.js (pid 100, main thread): SIGTERM");
      const rows = page.locator(".waterfall tbody tr");
      assert.equal(await rows.count(), 6);
      assert.deepEqual(await page.locator(".name").allTextContents(), [
        "http server",
        "queue",
        "cache",
        "pool",
        "└ connection",
        "log",
      ]);
      await shot(page, "mixed-light");
    }));

  it("bars are where their times are, and labels beside them have room", () =>
    withPage([MIXED], {}, async (page) => {
      const boxes = await page.evaluate(() => {
        const boxOf = (element: Element | null) => {
          const { left, right } = element?.getBoundingClientRect() ?? { left: 0, right: 0 };
          return { left, right };
        };
        return [...document.querySelectorAll(".waterfall tbody tr")].map((row) => ({
          chart: boxOf(row.querySelector(".chart")),
          bar: boxOf(row.querySelector(".bar")),
          label: boxOf(row.querySelector(".label")),
        }));
      });
      boxes.forEach(({ chart, bar, label }, index) => {
        const { from = 0, to = 0 } = MIXED.cleanups[index] ?? {};
        const scale = (chart.right - chart.left) / 900.9;
        assert.ok(Math.abs(bar.left - chart.left - from * scale) < 1.5, `row ${index} begins at ${bar.left}`);
        assert.ok(Math.abs(bar.right - bar.left - Math.max(2, (to - from) * scale)) < 1.5, `row ${index} is too long`);
        assert.ok(label.left >= chart.left && label.right <= chart.right, `the label of row ${index} is cut`);
        assert.ok(label.left >= bar.right || label.right <= bar.left, `the label of row ${index} is on its bar`);
      });
    }));

  it("hover shows where a cleanup was registered, and what it was waiting on", () =>
    withPage([MIXED], {}, async (page) => {
      const tip = page.locator("#tip");
      assert.equal(await tip.isVisible(), false);
      await page.hover(".waterfall tbody tr:nth-child(1) .chart");
      assert.match(
        await tip.innerText(),
        /^http server: 200 ms\nregistered at listen \(file:\/\/\/app\/server\.js:12:3\)/,
      );
      await page.hover(".waterfall tbody tr:nth-child(2) .name");
      assert.match(await tip.innerText(), /waiting on a connection to 10\.0\.0\.7:5672/);
      await shot(page, "hover");
      await page.mouse.move(1, 1);
      assert.equal(await tip.isVisible(), false);
    }));

  it("search finds rows by name, place, error and outcome, and says how many", () =>
    withPage([MIXED], {}, async (page) => {
      const visible = () => page.locator(".waterfall tbody tr:visible .name").allTextContents();
      for (const [text, names] of [
        ["pool", ["pool"]],
        ["server.js", ["http server"]],
        ["the cache IS gone", ["cache"]],
        ["timed out", ["queue"]],
        ["zzz", []],
      ] as const) {
        await page.keyboard.press("/");
        await page.locator("#search").fill(text);
        assert.deepEqual(await visible(), names, text);
        assert.equal(await page.locator("#found").textContent(), `${names.length} found`);
        await page.keyboard.press("Escape");
        assert.equal((await visible()).length, 6);
        await page.locator("#search").blur();
      }
    }));

  it("goes by the keyboard alone: rows, their details, zoom", () =>
    withPage([MIXED], {}, async (page) => {
      const focused = () => page.evaluate(() => document.activeElement?.querySelector(".name")?.textContent);
      await page.locator("#all").focus();
      await page.keyboard.press("Tab");
      assert.equal(await focused(), "http server");
      await page.keyboard.press("ArrowDown");
      assert.equal(await focused(), "queue");
      assert.match(await page.locator("#tip").innerText(), /^queue: 200 ms timed out/);
      await page.keyboard.press("End");
      assert.equal(await focused(), "log");
      await page.keyboard.press("ArrowDown");
      assert.equal(await focused(), "log");
      await page.keyboard.press("Home");
      assert.equal(await focused(), "http server");
      const span = () =>
        page.evaluate(() => {
          const { style } = document.querySelector(".waterfall") as HTMLElement;
          return Number(style.getPropertyValue("--to")) - Number(style.getPropertyValue("--from"));
        });
      const whole = await span();
      await page.keyboard.press("+");
      assert.ok(Math.abs((await span()) - whole / 2) < 0.01);
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("0");
      assert.equal(await span(), whole);
    }));

  it("zoom by the wheel keeps what is under the pointer in its place", () =>
    withPage([MIXED], {}, async (page) => {
      const bar = page.locator(".waterfall tbody tr:nth-child(2) .bar");
      const before_ = await bar.boundingBox();
      assert.ok(before_ !== null);
      await page.mouse.move(before_.x, before_.y + 3);
      await page.keyboard.down("Control");
      for (let turn = 0; turn < 5; turn += 1) await page.mouse.wheel(0, -100);
      await page.keyboard.up("Control");
      await page.waitForFunction((width) => {
        const box = document.querySelector(".waterfall tbody tr:nth-child(2) .bar")?.getBoundingClientRect();
        return (box?.width ?? 0) > width * 2;
      }, before_.width);
      const after_ = await bar.boundingBox();
      assert.ok(Math.abs((after_?.x ?? 0) - before_.x) < 3, `${before_.x} became ${after_?.x}`);
    }));

  it("tells a screen reader what the bars show", () =>
    withPage([MIXED], {}, async (page) => {
      const snapshot = await page.locator(".waterfall").ariaSnapshot();
      assert.match(
        snapshot,
        /table "Waterfall: the cleanups in the order in which they ran; the dashed line is the deadline"/,
      );
      assert.match(
        snapshot,
        /rowheader "pool registered at file:\/\/\/app\/db\.js:3:1 began after 415 ms, took 480 ms"/,
      );
      assert.match(snapshot, /cell "480 ms given up"/);
      assert.match(await page.locator(".list").first().ariaSnapshot(), /table "Blame: the cleanups by their own time"/);
    }));

  for (const colorScheme of ["light", "dark"] as const) {
    it(`is legible in ${colorScheme} mode`, () =>
      withPage([MIXED], { colorScheme }, async (page) => {
        // WCAG 2: 4.5 for text; 3 for what is no text.
        const low = await page.evaluate(() => {
          const rgb = (colour: string) => (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
          const luminance = (colour: string) => {
            const [red = 0, green = 0, blue = 0] = rgb(colour).map((value) => {
              const part = value / 255;
              return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
          };
          const contrast = (a: string, b: string) => {
            const [high = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
            return (high + 0.05) / (dark + 0.05);
          };
          const paper = (element: Element | null): string => {
            if (element === null) return "rgb(255, 255, 255)";
            const { backgroundColor } = getComputedStyle(element);
            return backgroundColor.startsWith("rgba(0, 0, 0, 0") ? paper(element.parentElement) : backgroundColor;
          };
          const found: string[] = [];
          for (const element of document.querySelectorAll(
            "h1, h2, p, .name, .label, caption, th, td, button, .axis span",
          )) {
            const is = contrast(getComputedStyle(element).color, paper(element));
            if (is < 4.5) found.push(`${element.tagName} ${element.className} ${is.toFixed(1)}`);
          }
          for (const bar of document.querySelectorAll(".bar, .legend i")) {
            const is = contrast(getComputedStyle(bar).backgroundColor, paper(bar.parentElement));
            if (is < 3) found.push(`${bar.className} ${is.toFixed(1)}`);
          }
          return [...new Set(found)];
        });
        assert.deepEqual(low, []);
        await shot(page, `legible-${colorScheme}`);
      }));
  }

  it("is readable and quick with a thousand rows", () =>
    withPage([MANY], {}, async (page) => {
      assert.equal(await page.locator(".waterfall tbody tr").count(), 1_000);
      await page.locator("#search").fill("module-777.js");
      assert.deepEqual(await page.locator(".waterfall tbody tr:visible .name").allTextContents(), ["flush 777"]);
      await page.locator("#search").fill("");
      await page.locator(".waterfall tbody tr:nth-child(600)").scrollIntoViewIfNeeded();
      // What the columns mean stays in sight.
      const head = await page.locator(".waterfall thead th").first().boundingBox();
      assert.ok(head !== null && head.y >= 0 && head.y < 100, `the head is at ${head?.y}`);
      await shot(page, "thousand");
    }));

  it("fits a narrow window", () =>
    withPage([MIXED], { width: 420 }, async (page) => {
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} pixels too wide`);
      await shot(page, "narrow");
    }));

  it("compares several", () =>
    withPage([MIXED, { ...MIXED, pid: 101, length: 950, beganAt: Date.UTC(2026, 0, 2) }], {}, async (page) => {
      assert.equal(await page.locator("h1").textContent(), "2 shutdowns");
      assert.equal(await page.locator("section.shutdown").count(), 2);
      assert.match((await page.locator("h2").first().textContent()) ?? "", /2 shutdowns of server\.js/);
      await shot(page, "several");
    }));

  const hostile: MadeUpShutdown = {
    length: HOSTILE.length,
    program: `${HOSTILE[0]}${HOSTILE[1]}${HOSTILE[2]}`,
    error: HOSTILE.join("\n"),
    cleanups: HOSTILE.map((name, n) => ({
      name,
      from: n,
      to: n + 1,
      site: name,
      error: name,
      outcome: "failed",
      waitingOn: [name],
    })),
  };

  for (const format of ["html", "svg"] as const) {
    it(`nothing that a cleanup is called can run or break the ${format}`, () =>
      withPage([hostile], { format }, async (page) => {
        assert.equal(await page.evaluate(() => (window as { hacked?: number }).hacked), undefined);
        const { texts, ...found } = await page.evaluate(() => ({
          scripts: document.querySelectorAll("script").length,
          images: document.querySelectorAll("img, image, iframe, object").length,
          handlers: [...document.querySelectorAll("*")].filter((element) =>
            element.getAttributeNames().some((name) => name.startsWith("on")),
          ).length,
          broken: document.querySelectorAll("parsererror").length,
          texts: document.documentElement.textContent ?? "",
        }));
        assert.deepEqual(found, { scripts: format === "html" ? 1 : 0, images: 0, handlers: 0, broken: 0 });
        for (const name of [HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[10], HOSTILE[11]]) {
          assert.ok(texts.includes(name as string), `${name} is not in it as it is`);
        }
        assert.ok(texts.includes("\\u{1b}"));
        await shot(page, `hostile-${format}`);
      }));
  }

  it("runs no script but its own, whatever would be in it", () =>
    withPage([MIXED], {}, async (page) => {
      const policy = await page.locator("meta[http-equiv]").getAttribute("content");
      assert.match(policy ?? "", /^default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[\w+/]+='$/);
    }));

  it("the picture is whole, and follows its reader's colours", () =>
    withPage([MIXED], { format: "svg", colorScheme: "dark" }, async (page) => {
      assert.equal(await page.locator("rect.bar").count(), 6);
      const paper = await page.locator("rect.paper").evaluate((element) => getComputedStyle(element).fill);
      assert.equal(paper, "rgb(13, 17, 23)");
      const outside = await page.evaluate(() => {
        const { width } = (document.documentElement as unknown as SVGSVGElement).getBoundingClientRect();
        return [...document.querySelectorAll("text")].filter((text) => {
          const box = text.getBoundingClientRect();
          return box.left < 0 || box.right > width;
        }).length;
      });
      assert.equal(outside, 0);
      await shot(page, "svg-dark");
    }));
});
