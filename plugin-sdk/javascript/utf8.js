// QuickJS has no TextDecoder and no TextEncoder; what it has in their place works on strings of one byte a character.

/** Characters that one call makes: arguments stand on the stack. */
const CHUNK = 8192;

/** One character for each byte. */
const latin1 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
  }
  return text;
};

/** One character for each byte of what the host gives. */
const bytesOf = (given) => latin1(given instanceof Uint8Array ? given : new Uint8Array(given));

/** UTF-8 as text. */
export function decode(given) {
  const text = bytesOf(given);
  return /[\x80-\xff]/.test(text) ? decodeURIComponent(escape(text)) : text;
}

/** A character of more than one byte; else a byte that belongs to none. */
const CHARACTER =
  /[\xc2-\xdf][\x80-\xbf]|(?:\xe0[\xa0-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]|\xed[\x80-\x9f])[\x80-\xbf]|(?:\xf0[\x90-\xbf]|[\xf1-\xf3][\x80-\xbf]|\xf4[\x80-\x8f])[\x80-\xbf]{2}|[\x80-\xff]/g;

/** What should be UTF-8 as text: a replacement character stands for each byte that is none. */
export function lenient(given) {
  const character = (bytes) => (bytes.length === 1 ? "\ufffd" : decodeURIComponent(escape(bytes)));
  return bytesOf(given).replace(CHARACTER, character);
}

/** Text as UTF-8. */
export function encode(text) {
  const bytes = unescape(encodeURIComponent(text));
  return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
}
