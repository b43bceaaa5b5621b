// Adds `{{function}}(factor=1)` to queries: the distance from the least to the greatest sample.
import { exportAggregator } from "bridge-telemetry-plugin/aggregator";

const spread = {
  name: "{{function}}",
  description: "Distance from the least to the greatest sample, times factor (default 1)",
  parameters: { factor: 1 },
  mergeable: true,

  open: () => ({}),
  update(group, values) {
    for (const value of values) {
      group.least = Math.min(group.least ?? value, value);
      group.greatest = Math.max(group.greatest ?? value, value);
    }
  },
  merge(group, other) {
    if (other.least !== undefined) this.update(group, [other.least, other.greatest]);
  },
  evaluate(group) {
    return group.least === undefined ? null : (group.greatest - group.least) * this.factor;
  },
};

export const { lifecycle, aggregation } = exportAggregator({
  name: "{{name}}",
  description: spread.description,
  functions: [spread],
});
