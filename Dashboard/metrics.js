// Prometheus text: samples by name, sums of counters, quantiles of histograms.

/** Samples of an exposition: a map from name to [{labels, value}]. */
export function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    if (!samples.has(match[1])) samples.set(match[1], []);
    samples.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return samples;
}

/** The sum of the samples of `name` whose labels are as `wanted`; NaN when there are none. */
export function sum(samples, name, wanted = {}) {
  const found = (samples.get(name) || []).filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
  return found.length ? found.reduce((total, sample) => total + sample.value, 0) : NaN;
}

/** The label of the first sample of `name`. */
export const label = (samples, name, wanted) => samples.get(name)?.[0]?.labels[wanted];

/** Cumulative buckets of a histogram, all label sets together: [{bound, count}]. */
export function buckets(samples, name) {
  const byBound = new Map();
  for (const { labels, value } of samples.get(`${name}_bucket`) || []) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    byBound.set(bound, (byBound.get(bound) || 0) + value);
  }
  return [...byBound].map(([bound, count]) => ({ bound, count })).sort((one, other) => one.bound - other.bound);
}

/** The quantile of what was added between two readings of a histogram, interpolated; NaN when nothing was. */
export function quantile(share, now, before) {
  const added = now.map(({ bound, count }, index) => ({
    bound, count: count - (before?.[index]?.bound === bound ? before[index].count : 0),
  }));
  const total = added.at(-1)?.count || 0;
  if (total <= 0) return NaN;
  const rank = share * total;
  const index = added.findIndex(({ count }) => count >= rank);
  const low = index > 0 ? added[index - 1] : { bound: 0, count: 0 };
  const high = added[index];
  if (!Number.isFinite(high.bound)) return low.bound;
  return low.bound + (high.bound - low.bound) * ((rank - low.count) / Math.max(1, high.count - low.count));
}
