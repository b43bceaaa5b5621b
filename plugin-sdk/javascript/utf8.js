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

/** UTF-8 as text. */
export function decode(given) {
  const text = latin1(given instanceof Uint8Array ? given : new Uint8Array(given));
  return /[\x80-\xff]/.test(text) ? decodeURIComponent(escape(text)) : text;
}

/** Text as UTF-8. */
export function encode(text) {
  const bytes = unescape(encodeURIComponent(text));
  return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
}
