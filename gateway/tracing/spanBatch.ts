import type { Resource } from '@opentelemetry/resources';
import { version } from './gatewayResource.ts';
import { ProtobufWriter, varintSize } from './protobufWriter.ts';
import type { RecordedSpan } from './recordedSpan.ts';
import { type AttributeValue, writeAttribute, writeSpan } from './writeSpan.ts';

/** Spans that are exported together: the bytes of an `ExportTraceServiceRequest` (opentelemetry-proto 1.x). Its memory is used
 *  again for the next spans. */
export class SpanBatch {
  count = 0;
  readonly #heads: SpanBatchHeads;
  readonly #writer = new ProtobufWriter(initialBytes);
  /** The head of a message has its length: it is written at last, to end where the spans begin. */
  readonly #spansStart: number;

  constructor(heads: SpanBatchHeads) {
    this.#heads = heads;
    this.#spansStart = heads.resource.length + heads.scope.length + maxLengthBytes;
    this.#writer.reserve(this.#spansStart);
    this.clear();
  }

  /** The size of the spans. */
  get bytes(): number {
    return this.#writer.position - this.#spansStart;
  }

  add(spans: readonly RecordedSpan[]): void {
    this.count += spans.length;
    for (const span of spans) writeSpan(this.#writer, span);
  }

  /** The request, until `add` or `clear` is called. */
  toRequest(): Uint8Array {
    const writer = this.#writer;
    const { resource, scope } = this.#heads;
    const end = writer.position;
    const scopeSpans = scope.length + end - this.#spansStart;
    const resourceSpans = resource.length + 1 + varintSize(scopeSpans) + scopeSpans;
    const start = end - resourceSpans - varintSize(resourceSpans) - 1;
    writer.moveTo(start);
    writer.byte(tag.resourceSpans);
    writer.varint(resourceSpans);
    writer.raw(resource);
    writer.byte(tag.scopeSpans);
    writer.varint(scopeSpans);
    writer.raw(scope);
    writer.moveTo(end);
    return writer.slice(start, end);
  }

  clear(): void {
    this.count = 0;
    this.#writer.moveTo(this.#spansStart);
  }
}

/** The bytes before the spans of every request: they name the sender. */
export class SpanBatchHeads {
  /** The first field of `ResourceSpans`. */
  readonly resource: Uint8Array;
  /** The first field of `ScopeSpans`. */
  readonly scope: Uint8Array;

  constructor({ attributes }: Pick<Resource, 'attributes'>) {
    this.resource = encodeHead((writer) => {
      for (const [name, value] of Object.entries(attributes))
        writeAttribute(writer, tag.attribute, name, value as AttributeValue);
    });
    this.scope = encodeHead((writer) => {
      writer.byte(tag.name);
      writer.text('tributary');
      writer.byte(tag.version);
      writer.text(version);
    });
  }
}

function encodeHead(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter(headBytes);
  writer.byte(tag.head);
  const start = writer.begin(1);
  write(writer);
  writer.end(start, 1);
  return Uint8Array.from(writer.slice(0, writer.position));
}

/** Of the few spans in which most batches of a gateway with little load end. */
const initialBytes = 16 * 1024;
/** Two tags, and two lengths of at most five bytes. */
const maxLengthBytes = 12;
/** More than a head has without its texts. */
const headBytes = 128;

/** Tags of fields: their number, shifted by three bits, and the type of the value. */
const tag = {
  resourceSpans: 0x0a,
  scopeSpans: 0x12,
  /** The resource, and the scope. */
  head: 0x0a,
  attribute: 0x0a,
  name: 0x0a,
  version: 0x12,
} as const;
