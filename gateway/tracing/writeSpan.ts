import { sharedEncodingOf } from '../telemetry/sharedAttributes.ts';
import type { SpanAttributes, SpanName } from '../telemetry/trace.ts';
import { isSampled } from '../telemetry/traceContext.ts';
import { spanIdBytes, traceIdBytes } from '../telemetry/traceparent.ts';
import { ProtobufWriter } from './protobufWriter.ts';
import type { ParentSpan, RecordedSpan } from './recordedSpan.ts';

export type AttributeValue = SpanAttributes[string];

/** More than any part of a span has without its texts. */
const partBytes = 128;

/** Tags of fields: their number, shifted by three bits, and the type of the value. */
const tag = {
  span: 0x12,
  traceId: 0x0a,
  spanId: 0x12,
  traceState: 0x1a,
  parentSpanId: 0x22,
  spanName: 0x2a,
  kind: 0x30,
  startTime: 0x39,
  endTime: 0x41,
  attribute: 0x4a,
  link: 0x6a,
  linkFlags: 0x35,
  status: 0x7a,
  statusCode: 0x18,
  key: 0x0a,
  value: 0x12,
  stringValue: 0x0a,
  boolValue: 0x10,
  intValue: 0x18,
  doubleValue: 0x21,
  arrayValue: 0x2a,
  arrayItem: 0x0a,
} as const;

/** Takes two bytes as a varint: the number of the field is 16. */
const spanFlagsTag = 0x85;

/** Flags of spans and links: that of W3C Trace Context, and where the parent of a span is. */
const flags = { sampled: 1, localParent: 0x100, remoteParent: 0x300 } as const;

const errorStatus = 2;

const timeBytes = 8;

/** Writes a span as a field of `ScopeSpans` (opentelemetry-proto 1.x). It knows every form that the gateway's spans have, so
 *  that it writes each byte once: the SDK's serializer measures a request before it writes it. */
export function writeSpan(writer: ProtobufWriter, span: RecordedSpan): void {
  const { trace, parent, links, errorType } = span;
  const head = headOf(span);
  writer.reserve(head.length + partBytes);
  writer.byte(tag.span);
  // Nearly all have 128 bytes to 16 kB.
  const start = writer.begin(2);
  writer.raw(head);
  const end = writer.position;
  writer.moveTo(start + headOffset.traceId);
  for (let index = 0; index < 4; index++) writer.word(trace.id[index] as number);
  writer.moveTo(start + headOffset.spanId);
  writeSpanId(writer, span);
  writer.moveTo(start + headOffset.startTime);
  writeTime(writer, trace.offsetMs + span.startedAt);
  writer.moveTo(start + headOffset.endTime);
  writeTime(writer, trace.offsetMs + span.endedAt);
  if (parent !== undefined) {
    writer.moveTo(start + headOffset.parentSpanId);
    writeSpanId(writer, parent);
  }
  writer.moveTo(end);
  // By the semantic conventions, a caller that stops waiting is no failure.
  if (errorType !== undefined && errorType !== 'cancelled') {
    writer.byte(tag.status);
    writer.byte(2);
    writer.byte(tag.statusCode);
    writer.byte(errorStatus);
  }
  if (trace.state !== undefined) writeText(writer, tag.traceState, trace.state);
  writeAttributes(writer, span);
  if (links !== undefined) for (const link of links) writeLink(writer, link);
  writer.end(start, 2);
}

/** Where the parts of a head are that differ from span to span. */
const headOffset = { traceId: 2, spanId: 20, startTime: 29, endTime: 38, parentSpanId: 48 } as const;

/** Heads by the name of the span, and then by its kind and its parent. */
const heads = new Map<SpanName, Uint8Array[]>();

/** What spans of one name, one kind and one kind of parent begin with. Ids and times are zeros. */
function headOf({ name, kind, parent }: RecordedSpan): Uint8Array {
  let byForm = heads.get(name);
  if (byForm === undefined) {
    byForm = [];
    heads.set(name, byForm);
  }
  const form = 3 * kind + (parent === undefined ? 0 : parent.isRemote ? 1 : 2);
  let head = byForm[form];
  if (head === undefined) {
    head = encodeHead(name, kind, parent);
    byForm[form] = head;
  }
  return head;
}

function encodeHead(name: SpanName, kind: number, parent: ParentSpan | undefined): Uint8Array {
  const writer = new ProtobufWriter(2 * partBytes);
  writer.byte(tag.traceId);
  writer.byte(traceIdBytes);
  writer.zeros(traceIdBytes);
  writer.byte(tag.spanId);
  writer.byte(spanIdBytes);
  writer.zeros(spanIdBytes);
  writer.byte(tag.startTime);
  writer.zeros(timeBytes);
  writer.byte(tag.endTime);
  writer.zeros(timeBytes);
  if (parent !== undefined) {
    writer.byte(tag.parentSpanId);
    writer.byte(spanIdBytes);
    writer.zeros(spanIdBytes);
  }
  writer.byte(tag.kind);
  writer.byte(kind);
  writer.varint(spanFlagsTag);
  writer.fixed32(flags.sampled | (parent?.isRemote === true ? flags.remoteParent : flags.localParent));
  writer.byte(tag.spanName);
  writer.text(name);
  return Uint8Array.from(writer.slice(0, writer.position));
}

function writeSpanId(writer: ProtobufWriter, { idHigh, idLow }: Pick<ParentSpan, 'idHigh' | 'idLow'>): void {
  writer.word(idHigh);
  writer.word(idLow);
}

/** `traceparent`: a valid one. */
function writeLink(writer: ProtobufWriter, traceparent: string): void {
  writer.reserve(partBytes);
  writer.byte(tag.link);
  const start = writer.begin(1);
  writer.byte(tag.traceId);
  writer.byte(traceIdBytes);
  for (let at = 3; at < 35; at += 8) writer.word(Number.parseInt(traceparent.slice(at, at + 8), 16));
  writer.byte(tag.spanId);
  writer.byte(spanIdBytes);
  for (let at = 36; at < 52; at += 8) writer.word(Number.parseInt(traceparent.slice(at, at + 8), 16));
  writer.byte(tag.linkFlags);
  writer.fixed32(isSampled(traceparent) ? flags.sampled : 0);
  writer.end(start, 1);
}

/** In nanoseconds since 1970, with the resolution of microseconds. `ms`: milliseconds since 1970. */
function writeTime(writer: ProtobufWriter, ms: number): void {
  // The product of both numbers would not be exact.
  const micros = Math.round(ms * 1_000);
  const highMicros = Math.floor(micros / twoTo32);
  const lowNanos = (micros - highMicros * twoTo32) * 1_000;
  const carry = Math.floor(lowNanos / twoTo32);
  writer.fixed32(lowNanos - carry * twoTo32);
  writer.fixed32(highMicros * 1_000 + carry);
}

const twoTo32 = 2 ** 32;

/** Of attributes that were set more than once, the last value counts. */
function writeAttributes(writer: ProtobufWriter, { attributes, errorType }: RecordedSpan): void {
  spanNumber += 1;
  if (errorType !== undefined) writeFirst(writer, errorTypeName, errorType);
  for (let set = attributes; set !== undefined; set = set.earlier) {
    const { attributes: values } = set;
    if (writeShared(writer, values)) continue;
    for (const name in values) {
      const value = values[name];
      if (value !== undefined) writeFirst(writer, name, value);
    }
  }
}

const errorTypeName = 'error.type';

function writeFirst(writer: ProtobufWriter, name: string, value: AttributeValue): void {
  const key = keyOf(name);
  if (key.writtenTo === spanNumber) return;
  key.writtenTo = spanNumber;
  writeKeyed(writer, tag.attribute, key.bytes, value);
}

/** Attributes that many spans have, as bytes. */
interface SharedAttributes {
  readonly bytes: Uint8Array;
  readonly keys: readonly AttributeKey[];
}

/** Returns false, and has written nothing, for attributes that are not shared, or if the span already has one of them. */
function writeShared(writer: ProtobufWriter, attributes: SpanAttributes): boolean {
  const encoding = sharedEncodingOf<SharedAttributes>(attributes);
  if (encoding === undefined) return false;
  encoding.encoded ??= encodeShared(attributes);
  const { bytes, keys } = encoding.encoded;
  for (const key of keys) if (key.writtenTo === spanNumber) return false;
  for (const key of keys) key.writtenTo = spanNumber;
  writer.reserve(bytes.length);
  writer.raw(bytes);
  return true;
}

function encodeShared(attributes: SpanAttributes): SharedAttributes {
  const writer = new ProtobufWriter(partBytes);
  const entries = Object.entries(attributes).filter(([, value]) => value !== undefined);
  for (const [name, value] of entries) writeAttribute(writer, tag.attribute, name, value);
  return {
    bytes: Uint8Array.from(writer.slice(0, writer.position)),
    keys: entries.map(([name]) => keyOf(name)),
  };
}

/** Of the span whose attributes are written. */
let spanNumber = 0;

/** The name of attributes. */
interface AttributeKey {
  /** With its tag and its length, and the tag of the value. */
  readonly bytes: Uint8Array;
  /** The last span with the attribute. */
  writtenTo: number;
}

/** By name. Names are those in the code of the gateway, and of the resource. */
const keys = new Map<string, AttributeKey>();

function keyOf(name: string): AttributeKey {
  let key = keys.get(name);
  if (key === undefined) {
    const writer = new ProtobufWriter(partBytes);
    writer.byte(tag.key);
    writer.text(name);
    writer.reserve(1);
    writer.byte(tag.value);
    key = { bytes: Uint8Array.from(writer.slice(0, writer.position)), writtenTo: 0 };
    keys.set(name, key);
  }
  return key;
}

export function writeAttribute(
  writer: ProtobufWriter,
  attributeTag: number,
  name: string,
  value: AttributeValue,
): void {
  writeKeyed(writer, attributeTag, keyOf(name).bytes, value);
}

function writeKeyed(
  writer: ProtobufWriter,
  attributeTag: number,
  key: Uint8Array,
  value: AttributeValue,
): void {
  writer.reserve(key.length + partBytes);
  if (typeof value === 'string' && key.length + value.length < maxShortBytes) {
    const start = writer.position;
    writeKeyAndLengths(writer, attributeTag, key, value.length + 2);
    writer.byte(tag.stringValue);
    if (writer.shortAscii(value)) return;
    writer.moveTo(start);
  } else if (typeof value === 'number' && value >= 0 && value < 128 && Number.isInteger(value)) {
    writeKeyAndLengths(writer, attributeTag, key, 2);
    writer.byte(tag.intValue);
    writer.byte(value);
    return;
  }
  writer.byte(attributeTag);
  const start = writer.begin(1);
  writer.raw(key);
  const valueStart = writer.begin(1);
  writeValue(writer, value);
  writer.end(valueStart, 1);
  writer.end(start, 1);
}

/** The lengths of most attributes take one byte and are known beforehand: short texts in ASCII, and small numbers. */
function writeKeyAndLengths(
  writer: ProtobufWriter,
  attributeTag: number,
  key: Uint8Array,
  valueLength: number,
): void {
  writer.byte(attributeTag);
  writer.byte(key.length + 1 + valueLength);
  writer.raw(key);
  writer.byte(valueLength);
}

/** Of a key and a text, so that no length takes two bytes. */
const maxShortBytes = 124;

function writeValue(writer: ProtobufWriter, value: AttributeValue): void {
  if (typeof value === 'string') writeText(writer, tag.stringValue, value);
  else if (typeof value === 'boolean') {
    writer.byte(tag.boolValue);
    writer.byte(value ? 1 : 0);
  } else if (typeof value === 'number') writeNumber(writer, value);
  else if (value !== undefined) {
    writer.byte(tag.arrayValue);
    const start = writer.begin(1);
    for (const item of value) {
      writer.reserve(partBytes);
      writer.byte(tag.arrayItem);
      const itemStart = writer.begin(1);
      writeText(writer, tag.stringValue, item);
      writer.end(itemStart, 1);
    }
    writer.end(start, 1);
  }
}

function writeText(writer: ProtobufWriter, textTag: number, text: string): void {
  writer.reserve(1);
  writer.byte(textTag);
  writer.text(text);
}

function writeNumber(writer: ProtobufWriter, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) {
    writer.byte(tag.intValue);
    writer.varint(value);
  } else {
    writer.byte(tag.doubleValue);
    writer.double(value);
  }
}
