import type { SlicedTask } from '../time/slicedTask.ts';

/** Maximum characters that `JSON.stringify` writes at once. Takes well below a millisecond. */
const chunkLength = 64 * 1024;

/** Values nested deeper than this are written by one call of `JSON.stringify`, however large they are. */
const maxDepth = 1000;

/** A list or object that is written in part. */
interface OpenContainer {
  readonly values: readonly unknown[];
  /** `undefined` for a list. */
  readonly keys: readonly string[] | undefined;
  next: number;
}

/** Writes the text of `JSON.stringify` in chunks, as a sliced task. `value` must consist of JSON values only. */
export function* stringifyInSlices(value: unknown, emit: (text: string) => void): SlicedTask {
  if (fitsInChunk(value)) {
    emit(JSON.stringify(value));
    return;
  }
  const open: OpenContainer[] = [{ values: [value], keys: undefined, next: 0 }];
  let text = '';
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    if (top.next === top.values.length) {
      open.pop();
      if (open.length > 0) text += top.keys === undefined ? ']' : '}';
    } else {
      if (top.next > 0) text += ',';
      if (top.keys !== undefined) text += `${JSON.stringify(top.keys[top.next])}:`;
      const element = top.values[top.next++];
      if (fitsInChunk(element) || open.length > maxDepth) {
        text += JSON.stringify(element);
      } else if (typeof element === 'string') {
        emit(`${text}"`);
        for (const part of splitText(element)) {
          emit(JSON.stringify(part).slice(1, -1));
          yield;
        }
        text = '"';
      } else if (Array.isArray(element)) {
        text += '[';
        open.push({ values: element, keys: undefined, next: 0 });
        yield;
      } else {
        text += '{';
        const entries = Object.entries(element as object);
        open.push({
          values: entries.map(([, member]) => member),
          keys: entries.map(([key]) => key),
          next: 0,
        });
        yield;
      }
    }
    if (text.length >= chunkLength) {
      emit(text);
      text = '';
      yield;
    }
  }
  emit(text);
}

/** Returns the text of `JSON.stringify`, as a sliced task. */
export function* stringifyToTextInSlices(value: unknown): SlicedTask<string> {
  let text = '';
  yield* stringifyInSlices(value, (part) => {
    text += part;
  });
  return text;
}

/** Splits a string into chunks, never within a surrogate pair. */
export function* splitText(text: string): Generator<string, void, void> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + chunkLength);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end++;
    yield text.slice(start, end);
    start = end;
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

/** Whether the JSON text of a value fits approximately into one chunk. */
export function fitsInChunk(value: unknown): boolean {
  if (typeof value === 'string') return value.length < chunkLength;
  if (typeof value !== 'object' || value === null) return true;
  let weight = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    weight += typeof next === 'string' ? next.length + 3 : 4;
    if (typeof next === 'object' && next !== null) {
      // Checked before its elements are pushed, because there may be many.
      if (Array.isArray(next)) {
        if (next.length > chunkLength) return false;
        for (const element of next) open.push(element);
      } else {
        for (const key in next) {
          weight += key.length + 3;
          open.push((next as Record<string, unknown>)[key]);
          if (weight >= chunkLength) return false;
        }
      }
    }
    if (weight + open.length >= chunkLength) return false;
  }
  return true;
}
