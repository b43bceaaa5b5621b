import { exportAggregator } from "bridge-telemetry-plugin/aggregator";
import { unsupported } from "bridge-telemetry-plugin/errors";

// Values of one bucket are within 1 % of its middle: bucket k of a sign holds GAMMA^(k-1) < |value| <= GAMMA^k.
const GAMMA = 1.01 / 0.99;
const LOG_GAMMA = Math.log(GAMMA);
// Buckets in the order of their values: negative ones, zero, positive ones. A k lies within ±100,000.
const OFFSET = 1_000_000;

const bucketOf = (value) => {
  if (value === 0) return 0;
  const k = Math.ceil(Math.log(Math.abs(value)) / LOG_GAMMA);
  return Math.sign(value) * (OFFSET + k);
};
const middleOf = (bucket) => {
  if (bucket === 0) return 0;
  return (Math.sign(bucket) * 2 * Math.exp(LOG_GAMMA * (Math.abs(bucket) - OFFSET))) / (GAMMA + 1);
};

const percentile = {
  name: "percentile",
  description: "Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch",
  parameters: { q: 0.99 },
  mergeable: true,

  check() {
    if (!(this.q >= 0 && this.q <= 1)) {
      throw unsupported("q must lie between 0 and 1; for the 99th percentile write q=0.99");
    }
  },
  open: () => new Map(),
  update(group, values) {
    for (const value of values) {
      const bucket = bucketOf(value);
      group.set(bucket, (group.get(bucket) ?? 0) + 1);
    }
  },
  merge(group, other) {
    for (const [bucket, count] of other) group.set(bucket, (group.get(bucket) ?? 0) + count);
  },
  evaluate(group) {
    const buckets = [...group].sort(([one], [other]) => one - other);
    const total = buckets.reduce((sum, [, count]) => sum + count, 0);
    let seen = 0;
    for (const [bucket, count] of buckets) {
      seen += count;
      if (seen > this.q * (total - 1)) return middleOf(bucket);
    }
    return null;
  },
  save: (group) => [...group],
  load: (saved) => new Map(saved),
};

export const { lifecycle, aggregation } = exportAggregator({
  name: "percentile",
  description: percentile.description,
  functions: [percentile],
});
