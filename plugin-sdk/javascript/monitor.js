import { getMetrics as hostGetMetrics } from "bridge:telemetry/query@0.2.2";

import { events, samples } from "./batch.js";
import { answered, asked } from "./errors.js";
import { lifecycleOf, running, subscriptionOf } from "./lifecycle.js";
import { read } from "./values.js";

/** Takes and answers what `get_metrics` of the host does, as of the time of the records. */
export const getMetrics = (request) => JSON.parse(asked(() => hostGetMetrics(JSON.stringify(request))));

const signals = (answers) =>
  answers
    .flat()
    .filter((signal) => signal)
    .map((signal) => ({
      key: signal.key,
      firing: signal.firing ?? true,
      severity: signal.severity ?? "warning",
      summary: signal.summary,
      value: signal.value ?? undefined,
      timestamp: signal.timestamp,
      labels: Object.entries(signal.labels ?? {}).map(([name, value]) => ({ name, value: String(value) })),
    }));

/**
 * The exports of a plugin that watches what was stored:
 * `export const { lifecycle, monitoring } = exportMonitor({ name, metrics, onSample(sample) { … } });`
 *
 * `eventTypes`, `sources` and `metrics` say what is shown: a trailing `*` matches a prefix, and `*` alone all; nothing without names, and
 * any source where `sources` is absent. `places` are JSON pointers within events' `data`, such as `/status`: what stands there is in
 * `event.values`, found by the host, which is much faster than parsing `event.data`. Implement `onEvent(event)`, `onSample(sample)`,
 * `tick(now)`: each answers a signal, several, or nothing. A signal has `key`, `summary`, `timestamp`, and may have `firing`,
 * `severity`, `value`, `labels`. Implement `save()` and `restore(state, version)` for what it has to remember. `tickSeconds` says how
 * often `tick` is called.
 *
 * For a key of more than 512 bytes, or with control characters, its beginning with a hash of the whole stands as the alert's. An alert
 * has the first 32 labels, and of these what 8 KiB have room for; a name has at most 512 bytes, and of a longer value these are kept.
 */
export const exportMonitor = (plugin) => ({
  lifecycle: lifecycleOf(plugin),
  monitoring: {
    subscribe: () => subscriptionOf(plugin),
    onEvents: answered((batch) => signals(events(batch, read(plugin.places)).map((event) => running.plugin.onEvent?.(event)))),
    onSamples: answered((batch) => signals(samples(batch).map((sample) => running.plugin.onSample?.(sample)))),
    tick: answered((now) => signals([running.plugin.tick?.(now)])),
  },
});
