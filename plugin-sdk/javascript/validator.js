import { events, samples } from "./batch.js";
import { answered } from "./errors.js";
import { lifecycleOf, running, subscriptionOf } from "./lifecycle.js";
import { read } from "./values.js";

class Verdict {
  issues = [];
  rewrites = new Map();
  series = new Map();

  issue(row, reject, code, path, message) {
    this.issues.push({ row, reject, code, path, message });
  }

  rewrite(row, parts) {
    this.rewrites.set(row, { ...(this.rewrites.get(row) ?? { row }), ...parts });
  }

  rewriteSeries(series, contextJson) {
    this.series.set(series, { series, contextJson });
  }
}

/**
 * The exports of a plugin that refuses or normalises records before they are stored:
 * `export const { lifecycle, validation } = exportValidator({ name, eventTypes, config, validateEvent(event) { … } });`
 *
 * `eventTypes`, `sources` and `metrics` say what is shown: a trailing `*` matches a prefix, and `*` alone all; nothing without names, and
 * any source where `sources` is absent. `places` are JSON pointers within events' `data`, such as `/command_id`: what stands there is in `event.values`,
 * found by the host, which is much faster than parsing `event.data`. Implement `validateEvent(event)`, `validateSample(sample)` or both. Each row is judged by itself.
 */
export const exportValidator = (plugin) => ({
  lifecycle: lifecycleOf(plugin),
  validation: {
    subscribe: () => subscriptionOf(plugin),
    validateEvents: answered((batch) => {
      const verdict = new Verdict();
      for (const event of events(batch, read(plugin.places), verdict)) running.plugin.validateEvent?.(event);
      return { issues: verdict.issues, rewrites: [...verdict.rewrites.values()] };
    }),
    validateSamples: answered((batch) => {
      const verdict = new Verdict();
      for (const sample of samples(batch, verdict)) running.plugin.validateSample?.(sample);
      return { issues: verdict.issues, rewrites: [...verdict.series.values()] };
    }),
  },
});
