import { Pattern as HostPattern } from "bridge:telemetry/patterns@0.2.2";

import { asked } from "./errors.js";
import { decode, encode } from "./utf8.js";

/** Places in UTF-8 as places in the text, from left to right. */
function placesIn(text, bytes, found) {
  if (bytes.length === text.length) return found.map(({ start, end }) => ({ start, end }));
  let [byte, character] = [0, 0];
  const at = (place) => {
    character += decode(bytes.subarray(byte, place)).length;
    byte = place;
    return character;
  };
  return found.map(({ start, end }) => ({ start: at(start), end: at(end) }));
}

/**
 * A regular expression that the host searches for: for long texts, or many of them, faster than `RegExp`. For validators, monitors and
 * sinks. The syntax is that of Rust's crate regex. It takes a part of the plugin's memory: make what every call searches for in
 * `start()`, since there is no host yet while the plugin's module is loaded.
 */
export class Pattern {
  #host;

  constructor(expression) {
    this.#host = asked(() => HostPattern.compile(expression));
  }

  /** Whether the text has it anywhere. */
  isMatch(text) {
    return asked(() => this.#host.isMatch(text));
  }

  /**
   * For each of the texts the places where it is found, `{ start, end }` to slice the text with; undefined for a text that is too long
   * for this expression. One call for many texts is faster than one for each.
   */
  find(texts) {
    const encoded = texts.map(encode);
    const ends = [];
    let length = 0;
    for (const bytes of encoded) ends.push((length += bytes.length));
    const whole = new Uint8Array(length);
    encoded.forEach((bytes, text) => whole.set(bytes, ends[text] - bytes.length));
    const { found, givenUp } = asked(() => this.#host.find({ bytes: whole, ends }));
    const places = texts.map(() => []);
    for (const place of found) places[place.text].push(place);
    const tooLong = new Set(givenUp);
    return texts.map((text, at) => (tooLong.has(at) ? undefined : placesIn(text, encoded[at], places[at])));
  }

  /** Gives its memory back: nothing can be searched for with it any more. */
  drop() {
    this.#host?.[Symbol.dispose]();
    this.#host = undefined;
  }
}
