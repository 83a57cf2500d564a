// Resets by cause over time: one stacked bar an interval.

import { CAUSES, count, time } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 34, BOTTOM = 20, TOP = 8, BAR_MIN = 9;

const svg = (name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

// The next round and even number, so that half of it is whole.
const roof = (most) => {
  const step = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 4, 6, 8, 10].map((of) => of * step).find((of) => of >= Math.max(most, 4)) ?? most;
};

const tip = (place, summary, x) => {
  const box = document.createElement("div");
  box.id = "tip";
  const line = (cause, text, n) => {
    const row = document.createElement("div");
    const swatch = document.createElement("i");
    swatch.className = `swatch ${cause}`;
    const number = document.createElement("b");
    number.textContent = count(n);
    row.append(swatch, text, number);
    box.append(row);
  };
  const { start_ns, end_ns } = summary.interval;
  box.append(`${time(start_ns)} – ${time(end_ns)}`);
  for (const cause of CAUSES) {
    const n = summary.resets.by_cause[cause];
    if (n > 0) line(cause, cause, n);
  }
  if (summary.resets.events === 0) box.append(document.createElement("br"), "no resets");
  place.append(box);
  const room = place.clientWidth - box.offsetWidth;
  box.style.left = `${Math.max(0, Math.min(room, x + 12))}px`;
};

export const drawChart = (place, summaries) => {
  const width = Math.max(place.clientWidth, 240), height = width < 560 ? 170 : 210;
  const slots = Math.max(12, Math.min(60, Math.floor((width - LEFT) / (BAR_MIN + 2))));
  const shown = summaries.slice(-slots);
  const slot = (width - LEFT) / slots, floor = height - BOTTOM;
  const top = roof(Math.max(...shown.map((s) => s.resets.events), 0));
  const y = (n) => floor - (n / top) * (floor - TOP);
  const label = `Resets of the last ${shown.length} intervals, at most ` +
    `${count(Math.max(...shown.map((s) => s.resets.events), 0))} in one`;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const n of [0, top / 2, top]) {
    root.append(svg("line", { x1: LEFT, x2: width, y1: y(n), y2: y(n) }));
    root.append(svg("text", { x: LEFT - 6, y: y(n) + 4, "text-anchor": "end" }, count(n)));
  }
  const begin = width - shown.length * slot;
  const leave = () => document.getElementById("tip")?.remove();
  shown.forEach((summary, index) => {
    const x = begin + index * slot;
    let stacked = 0;
    for (const cause of CAUSES) {
      const n = summary.resets.by_cause[cause];
      if (!(n > 0)) continue;
      const from = y(stacked), to = y(stacked + n);
      // A gap of one pixel tells neighbours apart where there is room for it.
      const tall = Math.max(from - to - (from - to > 3 ? 1 : 0), 0.8);
      root.append(svg("rect", { class: cause, x: x + 1, y: to, width: Math.max(slot - 2, 1), height: tall }));
      stacked += n;
    }
    const hit = svg("rect", { class: "hit", x, y: 0, width: slot, height: floor });
    hit.addEventListener("pointerenter", () => { leave(); tip(place, summary, x + slot); });
    hit.addEventListener("pointerleave", leave);
    root.append(hit);
  });
  const at = (index, anchor, x) => root.append(svg("text",
    { x, y: height - 5, "text-anchor": anchor }, time(shown[index].interval.end_ns)));
  if (shown.length > 0) at(shown.length - 1, "end", width);
  if (shown.length * slot > 190) at(0, "start", Math.max(begin, LEFT));
  place.replaceChildren(root);
};
