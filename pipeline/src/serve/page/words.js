// Numbers, times and names as a person reads them. Everything returns text, never markup.

export const CAUSES = ["firewall", "explicit_kill", "application", "network", "no_connection",
  "closed_port", "benign", "unknown"];

export const count = (n) => n.toLocaleString("en");

export const percent = (share) => {
  if (!(share > 0)) return "0 %";
  if (share < 0.001) return "< 0.1 %";
  // What is nearly nothing, or nearly everything, is told more exactly.
  const digits = share < 0.1 || (share > 0.99 && share < 1) ? 1 : 0;
  return `${(Math.min(share * 100, share < 1 ? 99.9 : 100)).toFixed(digits)} %`;
};

export const confidence = (of) => `${Math.round(of * 100)} %`;

const scaled = (n, steps) => {
  const [unit, size] = steps.find(([, size]) => n >= size) ?? steps.at(-1);
  const value = n / size;
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${unit}`;
};

const TIMES = [["d", 864e8], ["h", 36e8], ["min", 6e7], ["s", 1e6], ["ms", 1e3], ["µs", 1]];
const BYTES = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3], ["B", 1]];

// A value of a histogram, by the unit that the summary names.
export const measured = (value, unit) => {
  if (unit === "us") return scaled(value, TIMES);
  if (unit === "ms") return scaled(value * 1e3, TIMES);
  return unit === "bytes" ? scaled(value, BYTES) : count(value);
};

export const bits = (perSecond) =>
  scaled(perSecond, [["Gbit/s", 1e9], ["Mbit/s", 1e6], ["kbit/s", 1e3], ["bit/s", 1]]);

// Nanoseconds since 1970 lose some digits as a JavaScript number; a clock's time needs none of them.
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
export const time = (ns) => clock.format(new Date(ns / 1e6));
export const exactTime = (ns) => {
  const at = new Date(ns / 1e6);
  return `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
};

const literal = (addr) => (addr.includes(":") ? `[${addr}]` : addr);
export const endpoint = (addr, port) => `${literal(addr)}:${port}`;

// The display filter of an event's flow, both directions, as `resetscope explain` prints it.
export const wireshark = (event) => {
  const family = event.src.includes(":") ? "ipv6" : "ip";
  return `${family}.addr == ${event.src} && ${family}.addr == ${event.dst} && ` +
    `tcp.port == ${event.sport} && tcp.port == ${event.dport}`;
};
