import type { SpanAttributes } from './trace.ts';

/** What the encoder of spans makes of shared attributes, once. */
interface SharedEncoding<Encoded> {
  encoded: Encoded | undefined;
}

const encodings = new WeakMap<SpanAttributes, SharedEncoding<unknown>>();

/** Marks attributes that many spans get: they are encoded once. Their number must be bounded. */
export function shareAttributes(attributes: SpanAttributes): SpanAttributes {
  encodings.set(attributes, { encoded: undefined });
  return attributes;
}

/** `undefined` for attributes that are not shared. `Encoded`: what the only encoder of the process stores there. */
export function sharedEncodingOf<Encoded>(attributes: SpanAttributes): SharedEncoding<Encoded> | undefined {
  return encodings.get(attributes) as SharedEncoding<Encoded> | undefined;
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
