// The list of resets, newest first. What came over the wire is only ever set as text.

import { confidence, endpoint, exactTime, wireshark } from "./words.js";

const SHOWN = 60;

export const element = (name, className, ...children) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
};

const shown = (value) => (value === true ? "" : `: ${Array.isArray(value) ? value.join(", ") : value}`);

const copyButton = (text) => {
  const button = element("button", "", "Copy");
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it by hand";
    }
  });
  return button;
};

const story = (event) => {
  const facts = Object.entries(event.evidence).map(([name, value]) => element("span", "", `${name}${shown(value)}`));
  const filter = wireshark(event);
  const parts = [
    element("p", "", event.note),
    element("div", "facts", ...facts),
    element("p", "dim", `${event.stage} · ${event.conn_state} · ${event.history} · ` +
      `${event.packets} RST · frame ${event.frame} · ${event.community_id}`),
    element("div", "filter", element("code", "", filter), copyButton(filter)),
  ];
  if (event.alternatives.length > 0) {
    const others = event.alternatives.map((of) => `${of.cause} ${of.subcause.id} ${of.subcause.name} (${confidence(of.confidence)})`);
    parts.splice(2, 0, element("p", "", `Or else: ${others.join(", ")}`));
  }
  return element("div", "story", ...parts);
};

const row = (event) => {
  const { id, name } = event.subcause;
  const why = element("span", `why ${event.cause}`, element("i", "swatch"), `${event.cause} · ${id} ${name}`);
  const who = `${endpoint(event.src, event.sport)} → ${endpoint(event.dst, event.dport)}`;
  const head = element("summary", "",
    element("time", "", exactTime(event.time_ns)), why,
    element("span", "who", who), element("span", "sure", confidence(event.confidence)));
  const details = element("details", "", head);
  // Most are never opened, so what is inside is made when it is wanted.
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(story(event));
  });
  return details;
};

export class Resets {
  constructor(place, holdButton) {
    this.place = place;
    this.empty = place.firstElementChild;
    this.button = holdButton;
    this.waiting = [];
    this.held = false;
    holdButton.addEventListener("click", () => this.hold(!this.held));
  }

  add(event) {
    this.waiting.push(event);
    if (this.waiting.length > SHOWN) this.waiting.shift();
  }

  clear() {
    this.waiting = [];
    this.place.replaceChildren(this.empty);
  }

  hold(held) {
    this.held = held;
    this.button.setAttribute("aria-pressed", String(held));
    this.draw();
  }

  draw() {
    const newer = this.held && this.waiting.length > 0 ? ` (${this.waiting.length} newer)` : "";
    this.button.textContent = `${this.held ? "Held" : "Hold"}${newer}`;
    if (this.held || this.waiting.length === 0) return;
    this.empty.remove();
    this.place.prepend(...this.waiting.splice(0).reverse().map(row));
    while (this.place.childElementCount > SHOWN) this.place.lastElementChild.remove();
  }
}
