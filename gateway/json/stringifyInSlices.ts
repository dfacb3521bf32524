import type { SlicedTask } from '../time/slicedTask.ts';

/** Characters that JSON.stringify makes at once: well below a millisecond's work. */
const chunkLength = 64 * 1024;

/** Below so many levels JSON.stringify does the rest, whatever its size. */
const maxDepth = 1000;

/** A list or an object of which a part has been written. */
interface OpenContainer {
  readonly values: readonly unknown[];
  /** `undefined` for a list. */
  readonly keys: readonly string[] | undefined;
  next: number;
}

/** The text of JSON.stringify, of a value that came from JSON, in portions as work in slices. */
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

/** The whole text of JSON.stringify, as work in slices. */
export function* stringifyToTextInSlices(value: unknown): SlicedTask<string> {
  let text = '';
  yield* stringifyInSlices(value, (part) => {
    text += part;
  });
  return text;
}

/** A string in parts, none of which ends between the halves of a character. */
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

/** Whether a value's text fits into one portion, about. */
export function fitsInChunk(value: unknown): boolean {
  if (typeof value === 'string') return value.length < chunkLength;
  if (typeof value !== 'object' || value === null) return true;
  let weight = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    weight += typeof next === 'string' ? next.length + 3 : 4;
    if (typeof next === 'object' && next !== null) {
      // Before its elements are listed, which may be many.
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
