import type { SpanAttributes } from './trace.ts';

const shared = new WeakSet<SpanAttributes>();

/** Marks attributes that many spans get: they are encoded once. Their number must be bounded. */
export function shareAttributes(attributes: SpanAttributes): SpanAttributes {
  shared.add(attributes);
  return attributes;
}

export function areShared(attributes: SpanAttributes): boolean {
  return shared.has(attributes);
}

/** Attributes that are shared by the spans with the same whole number, such as an HTTP status. */
export class SharedAttributesByNumber {
  readonly #create: (value: number) => SpanAttributes;
  readonly #known: SpanAttributes[] = [];

  constructor(create: (value: number) => SpanAttributes) {
    this.#create = create;
  }

  of(value: number): SpanAttributes {
    if (value >= maxSharedNumber) return this.#create(value);
    const known = this.#known[value];
    if (known !== undefined) return known;
    const created = shareAttributes(this.#create(value));
    this.#known[value] = created;
    return created;
  }
}

const maxSharedNumber = 600;
