import { send as hostSend } from "bridge:telemetry/outbound-http@0.2.2";

import { answered } from "./errors.js";
import { lifecycleOf, running } from "./lifecycle.js";
import { decode, encode } from "./utf8.js";

/** The far side has it; with its reference, if it gave one. */
export const delivered = (reference) => ({ tag: "delivered", val: reference });
/** Never to be tried again. */
export const rejected = (reason) => ({ tag: "rejected", val: reason });
/** To be tried again later. */
export const retry = (reason, afterSeconds) => ({
  tag: "retry",
  val: { reason, afterMilliseconds: afterSeconds === undefined ? undefined : Math.round(afterSeconds * 1000) },
});
/** Hand the alert to these receivers instead. */
export const forward = (receivers) => ({ tag: "forward", val: receivers });

/**
 * Sends one request to a granted origin; `${secret:NAME}` in a header or the body is replaced by the host. Answers
 * `{ status, headers, body }`; throws when there is no answer.
 */
export function send(method, url, { body = "", headers = {}, timeoutSeconds = 10 } = {}) {
  const lines = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const request = { method, url, headers: lines, body: encode(body), timeoutMilliseconds: Math.round(timeoutSeconds * 1000) };
  try {
    const answer = hostSend(request);
    const found = Object.fromEntries(answer.headers.map(({ name, value }) => [name.toLowerCase(), value]));
    return { status: answer.status, headers: found, body: decode(answer.body) };
  } catch (error) {
    const failure = error?.payload ?? error;
    throw new Error(`${failure?.tag ?? "failed"}: ${failure?.val ?? failure}`);
  }
}

/**
 * The exports of a plugin that delivers alerts or routes them on:
 * `export const { lifecycle, delivery } = exportSink({ name, deliver(alert) { return delivered(); } });`
 *
 * `deliver(alert)` is given the alert's JSON with `idempotency_key` and `attempt` besides, and answers what became of it.
 */
export const exportSink = (plugin) => ({
  lifecycle: lifecycleOf(plugin),
  delivery: {
    deliver: answered((alerts) =>
      alerts.map((given) => {
        const alert = JSON.parse(given.alertJson);
        alert.idempotency_key = given.idempotencyKey;
        alert.attempt = given.attempt;
        try {
          return running.plugin.deliver(alert) ?? delivered();
        } catch (error) {
          return retry(`${error?.name}: ${error?.message}`);
        }
      }),
    ),
  },
});
