/** A span as the collector gets it. Ids are hexadecimal. */
export interface ExportedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'other';
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly isError: boolean;
  readonly flags: number;
  /** Attributes of the resource, which is the gateway. */
  readonly resource: Readonly<Record<string, unknown>>;
}

/** The value of a metric with one set of attributes, as the collector gets it. */
export interface ExportedPoint {
  readonly name: string;
  /** With the unit in parentheses, such as `histogram (s)`. */
  readonly kind: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a histogram: the number of observations. */
  readonly value: number;
  readonly sum?: number;
  readonly buckets?: readonly { readonly upTo: number; readonly count: number }[];
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
  /** Attributes of the resource, which is the gateway. */
  readonly resource: Readonly<Record<string, unknown>>;
}

type Value = bigint | Buffer;

/** The fields of one protobuf message, by number. */
class Message {
  readonly #fields = new Map<number, Value[]>();

  constructor(bytes: Buffer) {
    for (let position = 0; position < bytes.length; ) {
      const tag = Number(varint());
      const [field, wireType] = [tag >>> 3, tag & 7];
      const values = this.#fields.get(field) ?? [];
      this.#fields.set(field, values);
      if (wireType === 0) values.push(varint());
      else if (wireType === 1) values.push(take(8).readBigUInt64LE());
      else if (wireType === 5) values.push(BigInt(take(4).readUInt32LE()));
      else if (wireType === 2) values.push(take(Number(varint())));
      else throw new Error(`The wire type ${wireType} is not known.`);

      function take(length: number): Buffer {
        if (position + length > bytes.length) throw new Error('The message is truncated.');
        position += length;
        return bytes.subarray(position - length, position);
      }

      function varint(): bigint {
        for (let value = 0n, shift = 0n; ; shift += 7n) {
          const byte = take(1)[0] as number;
          value |= BigInt(byte & 127) << shift;
          if (byte < 128) return BigInt.asIntN(64, value);
        }
      }
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  number(field: number): bigint {
    return (this.#fields.get(field)?.at(-1) as bigint | undefined) ?? 0n;
  }

  bytes(field: number): Buffer {
    return (this.#fields.get(field)?.at(-1) as Buffer | undefined) ?? Buffer.alloc(0);
  }

  double(field: number): number {
    const bits = Buffer.alloc(8);
    bits.writeBigUInt64LE(BigInt.asUintN(64, this.number(field)));
    return bits.readDoubleLE();
  }

  /** Repeated numbers of eight bytes, packed. */
  packed<Item>(field: number, read: (bytes: Buffer, offset: number) => Item): Item[] {
    const bytes = this.bytes(field);
    return Array.from({ length: bytes.length / 8 }, (_, index) => read(bytes, index * 8));
  }

  text(field: number): string {
    return this.bytes(field).toString();
  }

  hex(field: number): string {
    return this.bytes(field).toString('hex');
  }

  messages(field: number): readonly Message[] {
    return (this.#fields.get(field) ?? []).map((value) => new Message(value as Buffer));
  }
}

/** Decodes an `ExportTraceServiceRequest` (opentelemetry-proto 1.x). */
export function decodeTraces(bytes: Buffer): readonly ExportedSpan[] {
  return new Message(bytes).messages(1).flatMap((resourceSpans) => {
    const resource = attributesOf(resourceSpans.messages(1)[0]?.messages(1) ?? []);
    return resourceSpans
      .messages(2)
      .flatMap((scopeSpans) => scopeSpans.messages(2).map((span) => decodeSpan(span, resource)));
  });
}

/** Decodes an `ExportMetricsServiceRequest` (opentelemetry-proto 1.x). */
export function decodeMetrics(bytes: Buffer): readonly ExportedPoint[] {
  return new Message(bytes).messages(1).flatMap((resourceMetrics) => {
    const resource = attributesOf(resourceMetrics.messages(1)[0]?.messages(1) ?? []);
    return resourceMetrics
      .messages(2)
      .flatMap((scope) => scope.messages(2).flatMap((metric) => decodeMetric(metric, resource)));
  });
}

/** Fields of `Metric` by kind. */
const metricKinds = { gauge: 5, sum: 7, histogram: 9 } as const;

function decodeMetric(metric: Message, resource: ExportedPoint['resource']): ExportedPoint[] {
  return Object.entries(metricKinds).flatMap(([kind, field]) =>
    metric.messages(field).flatMap((data) =>
      data.messages(1).map((point): ExportedPoint => {
        const isHistogram = kind === 'histogram';
        return {
          name: metric.text(1),
          kind: metric.text(3) === '' ? kind : `${kind} (${metric.text(3)})`,
          attributes: attributesOf(point.messages(isHistogram ? 9 : 7)),
          ...(isHistogram ? histogramOf(point) : { value: point.double(4) }),
          start: point.number(2),
          end: point.number(3),
          resource,
        };
      }),
    ),
  );
}

function histogramOf(point: Message): Pick<ExportedPoint, 'value' | 'sum' | 'buckets'> {
  const counts = point.packed(6, (bytes, offset) => Number(bytes.readBigUInt64LE(offset)));
  const bounds = point.packed(7, (bytes, offset) => bytes.readDoubleLE(offset));
  return {
    value: Number(point.number(4)),
    sum: point.double(5),
    buckets: counts.map((count, index) => ({ upTo: bounds[index] ?? Number.POSITIVE_INFINITY, count })),
  };
}

const kinds = ['other', 'internal', 'server', 'client'] as const;

function decodeSpan(span: Message, resource: ExportedSpan['resource']): ExportedSpan {
  return {
    traceId: span.hex(1),
    spanId: span.hex(2),
    traceState: span.text(3),
    parentSpanId: span.hex(4),
    name: span.text(5),
    kind: kinds[Number(span.number(6))] ?? 'other',
    start: span.number(7),
    end: span.number(8),
    attributes: attributesOf(span.messages(9)),
    links: span.messages(13).map((link) => ({ traceId: link.hex(1), spanId: link.hex(2) })),
    isError: span.messages(15)[0]?.number(3) === 2n,
    flags: Number(span.number(16)),
    resource,
  };
}

function attributesOf(keyValues: readonly Message[]): Record<string, unknown> {
  return Object.fromEntries(
    keyValues.map((keyValue) => [keyValue.text(1), attributeValueOf(keyValue.messages(2)[0] as Message)]),
  );
}

function attributeValueOf(value: Message): unknown {
  if (value.has(1)) return value.text(1);
  if (value.has(2)) return value.number(2) === 1n;
  if (value.has(3)) return Number(value.number(3));
  if (value.has(4)) return value.double(4);
  if (value.has(5)) return value.messages(5)[0]?.messages(1).map(attributeValueOf);
  throw new Error('An attribute has a value of a type that this decoder does not know.');
}
