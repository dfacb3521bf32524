import { isHeaderValue } from '../config/scalars.ts';
import { type ForwardedHeaders, isForwardableHeader } from '../subgraphs/forwardedHeaders.ts';
import type { SubgraphHeaders } from './extension.ts';

/** Headers of the gateway's own that a hook at send time may replace. */
const tracingHeaders: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

/** @throws {TypeError} for a header that the gateway writes itself or that belongs to the connection, and for a value that no
 *  header can have. */
export function checkSubgraphHeader(name: string, value: string, { allowsTracing = false } = {}): void {
  if (!isForwardableHeader(name) && !(allowsTracing && tracingHeaders.has(name))) {
    throw new TypeError(`An extension cannot set the header "${name}" of a request to a subgraph.`);
  }
  checkHeaderValue(name, value);
}

/** @throws {TypeError} */
export function checkHeaderValue(name: string, value: string): void {
  if (typeof value === 'string' && isHeaderValue(value)) return;
  throw new TypeError(`The value of the header "${name}" is not text, or has a forbidden character.`);
}

/** Edits the headers for a subgraph. */
export class HeaderEditor implements SubgraphHeaders {
  readonly #original: ForwardedHeaders;
  /** `undefined` until the first change. */
  #changed: [string, string][] | undefined;

  constructor(original: ForwardedHeaders) {
    this.#original = original;
  }

  get(name: string): string | undefined {
    const lowerCased = name.toLowerCase();
    for (const [key, value] of this.entries()) if (key === lowerCased) return value;
    return undefined;
  }

  set(name: string, value: string): void {
    const lowerCased = name.toLowerCase();
    checkSubgraphHeader(lowerCased, value);
    this.delete(name);
    this.#edited.push([lowerCased, value]);
  }

  delete(name: string): void {
    const lowerCased = name.toLowerCase();
    this.#changed = this.#edited.filter(([key]) => key !== lowerCased);
  }

  *entries(): IterableIterator<readonly [string, string]> {
    if (this.#changed !== undefined) {
      yield* this.#changed;
      return;
    }
    const { pairs } = this.#original;
    for (let n = 0; n < pairs.length; n += 2) yield [pairs[n] as string, pairs[n + 1] as string];
  }

  /** The original object if nothing was changed. */
  toHeaders(): ForwardedHeaders {
    if (this.#changed === undefined) return this.#original;
    // Sorted, so that the order of changes makes no difference. With its length before each part, the key is unambiguous;
    // the first character tells it from the keys of headers without changes.
    const sorted = this.#changed.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const key = sorted.map(([name, value]) => `${name.length}:${name}${value.length}:${value}`).join('');
    return { key: `+${key}`, pairs: sorted.flat() };
  }

  get #edited(): [string, string][] {
    this.#changed ??= Array.from(this.entries(), ([name, value]) => [name, value]);
    return this.#changed;
  }
}
