// The live page: listens to the stream of results and shows them.
//
// Everything is drawn from what the stream said since its `hello`, at most once a frame of the
// screen. A stream that breaks off is taken up again by the browser, with a new `hello`.

import { drawChart } from "./chart.js";
import { Resets, element } from "./resets.js";
import { sums, total } from "./sums.js";
import { CAUSES, bits, count, endpoint, measured, percent, time } from "./words.js";

const INTERVALS = 120, REASONS = 8;
const at = (id) => document.getElementById(id);
const resets = new Resets(at("resets"), at("hold"));
// A summary has only the ids of sub-causes; the stream's beginning says what they are called.
let names = new Map();
let summaries = [], flowsMax = 0, scope = "all", omitted = 0, due = false, over = false;

const number = (place, n) => {
  place.textContent = count(n);
  place.dataset.value = n;
};

const share = (part, whole) => (whole > 0 ? part / whole : 0);

const track = (...parts) => {
  const box = element("div", "track");
  for (const [className, of] of parts) {
    const fill = element("div", `fill ${className}`);
    fill.style.width = `${of * 100}%`;
    box.append(fill);
  }
  return box;
};

const bars = (place, rows) => {
  const most = Math.max(...rows.map(({ n }) => n), 1);
  place.replaceChildren(...rows.flatMap(({ key, text, className, n }) => {
    const b = element("b", "");
    number(b, n);
    b.dataset.key = key;
    return [element("span", "", text), track([className ?? "", n / most]), b];
  }));
};

const drawTiles = (sum) => {
  const { kernel_drop: kernel = 0, table_full: table = 0 } = sum.frames.shed;
  const values = {
    "/resets/events": sum.resets.events, "/resets/packets": sum.resets.packets,
    "/flows/opened": sum.flows.opened, "/flows/active": sum.flows.active,
    "/frames/received": sum.frames.received, dropped: kernel + table,
  };
  for (const place of document.querySelectorAll("[data-n]")) number(place, values[place.dataset.n]);
  at("load").textContent = `${percent(share(sum.flows.active, flowsMax))} of the table`;
  at("rate").textContent = bits(share(sum.frames.bytes * 8, sum.seconds));
  at("drop-share").textContent = kernel + table > 0 ? percent(share(kernel + table, sum.frames.received)) : "none";
  at("drop-tile").classList.toggle("bad", kernel + table > 0);
};

const drawLegend = (byCause) => {
  at("legend").replaceChildren(...CAUSES.map((cause) => {
    const n = byCause[cause] ?? 0, b = element("b", "");
    number(b, n);
    b.dataset.key = cause;
    return element("li", `${cause} ${n > 0 ? "" : "none"}`, element("i", "swatch"), cause, b);
  }));
};

const STAGES = { post_syn: "handshake not complete", post_ack: "open, nothing sent",
  post_psh: "first data sent", later: "later" };

const drawBars = (sum) => {
  bars(at("stages"), Object.entries(sum.resets.by_stage).map(([key, n]) => ({ key, text: STAGES[key] ?? key, n })));
  const most = Object.entries(sum.resets.by_subcause).sort(([, a], [, b]) => b - a).slice(0, REASONS);
  bars(at("subcauses"), most.map(([key, n]) => {
    const known = names.get(key);
    return { key, text: known ? `${key} ${known.name}` : key, className: known?.cause, n };
  }));
  if (most.length === 0) at("subcauses").replaceChildren(element("p", "dim", "No resets."));
};

const table = (head, rows) => {
  const heads = element("tr", "", ...head.map((text) => element("th", "", text)));
  return element("table", "", element("thead", "", heads), element("tbody", "", ...rows));
};

const cells = (className, ...of) => element("tr", className, ...of.map((cell) => element("td", "", cell)));

const drawTops = (place, rows, what, name) => {
  if (rows.length === 0) return place.replaceChildren(element("p", "dim", "None."));
  const most = rows[0].events;
  place.replaceChildren(table([what, "resets", "RSTs", "causes"], rows.map((row) => {
    const parts = CAUSES.filter((cause) => row.by_cause[cause] > 0);
    const line = cells("", name(row), count(row.events), count(row.packets),
      track(...parts.map((cause) => [cause, row.by_cause[cause] / most])));
    line.lastElementChild.title = parts.map((cause) => `${cause} ${row.by_cause[cause]}`).join(", ");
    line.dataset.key = name(row);
    line.dataset.value = row.events;
    return line;
  })));
};

const drawLedger = (frames) => {
  const { received, analysed, skipped, shed } = frames;
  const line = (className, text, n) => {
    const row = cells(className, text, count(n), received > 0 ? percent(n / received) : "");
    row.dataset.key = text;
    row.dataset.value = n;
    return row;
  };
  const reasons = (counts, what) => Object.entries(counts).filter(([, n]) => n > 0)
    .map(([reason, n]) => line("", `${what}: ${reason}`, n));
  at("ledger").replaceChildren(
    track(["no_connection", share(analysed, received)], ["benign", share(total(skipped), received)],
      ["firewall", share(total(shed), received)]),
    table([], [line("", "analysed", analysed), ...reasons(skipped, "skipped"),
      ...reasons(shed, "dropped"), line("whole", "received", received)]));
};

const drawHistograms = (histograms) => {
  at("histograms").replaceChildren(table(["", "count", "p50", "p90", "p99", "max"],
    Object.entries(histograms).map(([name, { unit, count: n, p50, p90, p99, max }]) => {
      const values = [p50, p90, p99, max].map((value) => (n > 0 ? measured(value, unit) : "–"));
      return cells("", name.replaceAll("_", " "), count(n), ...values);
    })));
};

const draw = () => {
  due = false;
  resets.draw();
  at("omitted").hidden = omitted === 0;
  at("omitted").textContent = `${count(omitted)} more came too fast to be listed here; all are counted.`;
  if (summaries.length === 0) return;
  const shown = scope === "all" ? summaries : summaries.slice(-1);
  const sum = sums(shown);
  at("span").textContent = `${time(sum.from_ns)} – ${time(sum.to_ns)}, ` +
    (shown.length === 1 ? "1 interval" : `${shown.length} intervals`);
  document.body.dataset.seq = summaries.at(-1).interval.seq;
  drawTiles(sum);
  drawChart(at("chart"), summaries);
  drawLegend(sum.resets.by_cause);
  drawBars(sum);
  drawTops(at("services"), sum.services, "service", (row) => endpoint(row.addr, row.port));
  drawTops(at("hosts"), sum.hosts, "host", (row) => row.addr);
  drawLedger(sum.frames);
  drawHistograms(sums(summaries).histograms);
};

const redraw = () => {
  if (!due) requestAnimationFrame(draw);
  due = true;
};

const state = (className, text) => {
  at("state").className = className;
  at("state-text").textContent = text;
};

const alarm = (text) => {
  at("alert").hidden = text === "";
  at("alert").textContent = text;
};

const stream = new EventSource("events");
const on = (name, act) => stream.addEventListener(name, ({ data }) => {
  act(JSON.parse(data));
  redraw();
});

on("hello", (hello) => {
  summaries = [];
  omitted = 0;
  flowsMax = hello.flows_max;
  names = new Map(hello.subcauses.map(([id, cause, name]) => [id, { cause, name }]));
  resets.clear();
  at("interface").textContent = hello.interface;
  at("version").textContent = `resetscope ${hello.version}.`;
  document.title = `${hello.interface} – resetscope`;
  state("live", `live, every ${measured(hello.interval_ms, "ms")}`);
});
on("tap", ({ listening, said }) => alarm(listening ? "" : said || "The interface is not listened on yet."));
on("summary", (summary) => {
  summaries.push(summary);
  summaries = summaries.slice(-INTERVALS);
});
on("reset", (event) => resets.add(event));
on("omitted", (n) => { omitted += n; });
on("bye", () => {
  over = true;
  stream.close();
  state("lost", "ended");
  alarm("The monitor has ended. These are its last results.");
});
stream.onerror = () => {
  if (over) return;
  state("lost", "connection lost");
  const closed = stream.readyState === EventSource.CLOSED;
  alarm(closed ? "The server refused the stream: too many pages may be open. Reload to try again."
    : "The connection is lost; trying again.");
};

for (const button of document.querySelectorAll("[data-scope]")) {
  button.addEventListener("click", () => {
    scope = button.dataset.scope;
    for (const other of document.querySelectorAll("[data-scope]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    redraw();
  });
}
addEventListener("resize", redraw);
