import { send as hostSend } from "bridge:telemetry/outbound-http@0.2.2";

import { answered } from "./errors.js";
import { lifecycleOf, running } from "./lifecycle.js";
import { encode, lenient } from "./utf8.js";

/** The far side has it; with its reference, if it gave one. */
export const delivered = (reference) => ({ tag: "delivered", val: reference });
/** The far side had it already. */
export const duplicate = () => ({ tag: "duplicate" });
/** Never to be tried again. */
export const rejected = (reason) => ({ tag: "rejected", val: reason });
/** To be tried again later. */
export const retry = (reason, afterSeconds) => ({
  tag: "retry",
  val: { reason, afterMilliseconds: afterSeconds === undefined ? undefined : Math.round(afterSeconds * 1000) },
});
/** Hand the alert to these receivers instead. */
export const forward = (receivers) => ({ tag: "forward", val: receivers });

/** A value as JSON without `${`, which the host would look at: in JSON it only stands within texts, where it can be written otherwise. */
const withoutReferences = (value) => JSON.stringify(value).replace(/\$\{/g, "\\u0024{");

/**
 * Sends one request to a granted origin, with a text as `body`, which is sent as UTF-8, or a value as `json`. `${secret:NAME}` in a
 * header or in `body` is replaced by the host, whoever wrote it: what others wrote, such as an alert's texts, belongs into `json`, where
 * it arrives as it is. Answers `{ status, headers, body, text() }`, the body as bytes, and as text with replacement characters where it
 * is no UTF-8; throws when there is no answer.
 */
export function send(method, url, { body = "", json, headers = {}, timeoutSeconds = 10 } = {}) {
  const lines = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const isJson = json !== undefined;
  if (isJson && !lines.some(({ name }) => name.toLowerCase() === "content-type")) {
    lines.push({ name: "content-type", value: "application/json" });
  }
  const content = encode(isJson ? withoutReferences(json) : body);
  const request = { method, url, headers: lines, body: content, timeoutMilliseconds: Math.round(timeoutSeconds * 1000) };
  let answer;
  try {
    answer = hostSend(request);
  } catch (error) {
    const failure = error?.payload ?? error;
    throw new Error(`${failure?.tag ?? "failed"}: ${failure?.val ?? failure}`);
  }
  const found = Object.fromEntries(answer.headers.map(({ name, value }) => [name.toLowerCase(), value]));
  return { status: answer.status, headers: found, body: answer.body, text: () => lenient(answer.body) };
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
