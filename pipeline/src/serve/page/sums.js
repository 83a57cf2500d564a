// Adds summaries up: what the page shows of several intervals.

const add = (to, from) => {
  for (const [name, n] of Object.entries(from)) to[name] = (to[name] ?? 0) + n;
  return to;
};

export const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

const tops = (summaries, list, key) => {
  const all = new Map();
  for (const summary of summaries) {
    for (const row of summary.top[list]) {
      const sum = all.get(key(row)) ?? { ...row, events: 0, packets: 0, by_cause: {} };
      sum.events += row.events;
      sum.packets += row.packets;
      add(sum.by_cause, row.by_cause);
      all.set(key(row), sum);
    }
  }
  const most = [...all.values()];
  most.sort((a, b) => b.events - a.events || b.packets - a.packets);
  return most.slice(0, 8);
};

// One object with the shape of a summary; what only the last interval can say is that of the last.
export const sums = (summaries) => {
  const last = summaries.at(-1);
  const each = (pick) => summaries.reduce((sum, summary) => add(sum, pick(summary)), {});
  const number = (pick) => summaries.reduce((sum, summary) => sum + pick(summary), 0);
  const histograms = {};
  for (const summary of summaries) {
    for (const [name, histogram] of Object.entries(summary.histograms)) {
      if (histogram.count > 0 || !(name in histograms)) histograms[name] = histogram;
    }
  }
  return {
    from_ns: summaries[0].interval.start_ns,
    to_ns: last.interval.end_ns,
    seconds: number((s) => (s.interval.end_ns - s.interval.start_ns) / 1e9),
    frames: {
      received: number((s) => s.frames.received),
      bytes: number((s) => s.frames.bytes),
      analysed: number((s) => s.frames.analysed),
      skipped: each((s) => s.frames.skipped),
      shed: each((s) => s.frames.shed),
    },
    flows: { opened: number((s) => s.flows.opened), active: last.flows.active },
    resets: {
      packets: number((s) => s.resets.packets),
      events: number((s) => s.resets.events),
      by_cause: each((s) => s.resets.by_cause),
      by_subcause: each((s) => s.resets.by_subcause),
      by_stage: each((s) => s.resets.by_stage),
    },
    histograms,
    services: tops(summaries, "services", (row) => `${row.addr} ${row.port}`),
    hosts: tops(summaries, "hosts", (row) => row.addr),
  };
};
