import { read as hostRead } from "bridge:telemetry/event-values@0.2.2";

import { texts } from "./batch.js";
import { asked } from "./errors.js";

/** For each event of the batch, what stands at each of the places, found by the host; nothing where none is asked for. */
export function read(places) {
  if (!places?.length) return undefined;
  const table = asked(() => hostRead(places));
  const strings = texts(table.texts);
  const rows = [];
  for (let start = 0; start < table.kinds.length; start += places.length) {
    rows.push(places.map((_, place) => value(table.kinds[start + place], table.numbers[start + place], strings[start + place])));
  }
  return rows;
}

function value(kind, number, text) {
  switch (kind) {
    case 1:
      return null;
    case 2:
    case 3:
      return kind === 3;
    case 4:
      return text ? BigInt(text) : number;
    case 5:
      return text;
    case 6:
    case 7:
      return JSON.parse(text);
    default:
      return undefined;
  }
}
