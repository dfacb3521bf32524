import {
  type GraphQLCompositeType,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import { isRawInteger, isRawNumber, toNumber } from '../json/exactJson.ts';
import { generateFunction } from '../json/generateFunction.ts';
import { hasInfinity } from '../json/hasInfinity.ts';
import { fitsInChunk } from '../json/stringifyInSlices.ts';
import type { CollectedField, SelectionSet } from '../operation/selection.ts';
import { ByteSink, type ObjectWriter, sinkFullError } from './byteSink.ts';

/** Writes any value. See `ObjectWriter`. */
type ValueWriter = (value: unknown, position: number, isEscapeFree: boolean) => number;

/** The sink of all generated writers. */
export const sink = new ByteSink();

/** Created once, because it may be thrown for every response of an operation. */
export const writerBailout = new Error('The response is not ordinary.');

function bailOut(): never {
  throw writerBailout;
}

/** Writes a value of a custom scalar. Large ones are left to the chunked writer. */
function writeJson(value: unknown, position: number): number {
  if (!fitsInChunk(value)) throw sinkFullError;
  const text = JSON.stringify(value);
  if (text.includes('null') && hasInfinity(value)) bailOut();
  return sink.json(text, position);
}

/** What a generated writer does besides writing every value of an ordinary response. */
export interface WriterOptions {
  /** Delivery groups whose enrichments are written as null: they are not complete. */
  readonly pendingGroups: ReadonlySet<number>;
  /** Otherwise the writers bail out at an object or list that is null. */
  readonly writesNullObjects: boolean;
}

const completeResponse: WriterOptions = { pendingGroups: new Set(), writesNullObjects: true };

/** Generates the writers of one operation at their first use, one for each selection set and runtime type.
 *
 *  Names in the generated code: `o` the object, `p` the position, `d` the view of the sink's bytes, `f` whether
 *  strings are free of escapes, `v` a field's value. Names of the schema in it are GraphQL names. */
export class WriterGenerator {
  readonly schema: GraphQLSchema;
  readonly #options: WriterOptions;
  readonly #objectWriters = new Map<SelectionSet, Map<string, ObjectWriter>>();
  readonly #valueWriters = new Map<GraphQLOutputType, Map<SelectionSet | undefined, ValueWriter>>();

  constructor(schema: GraphQLSchema, options: WriterOptions = completeResponse) {
    this.schema = schema;
    this.#options = options;
  }

  objectWriterOf(set: SelectionSet, type: GraphQLObjectType): ObjectWriter {
    return getOrCreate(this.#objectWriters, set, type.name, () => this.#generateObject(set, type));
  }

  /** Returns the writer for values of this type. */
  valueWriterOf(type: GraphQLOutputType, set: SelectionSet | undefined): ValueWriter {
    return getOrCreate(this.#valueWriters, type, set, () =>
      this.#generate<ValueWriter>('writeValue', 'v', (capture) => ({
        body: `let d;\n${makeRoom}\n${this.#value(type, set, 'v', 0, capture)}`,
        size: maxLiteralBytes,
      })),
    );
  }

  /** Returns the object type of a value that the schema declares with an abstract type. */
  objectTypeOf(declared: GraphQLCompositeType, object: ResponseObject): GraphQLObjectType {
    if (!isAbstractType(declared)) return declared;
    const name = object.__typename;
    const named = typeof name === 'string' ? this.schema.getType(name) : undefined;
    if (!isObjectType(named) || !this.schema.isSubType(declared, named)) bailOut();
    return named;
  }

  #generateObject(set: SelectionSet, type: GraphQLObjectType): ObjectWriter {
    const { fields, isDenied } = set.collect(this.schema, type);
    if (isDenied || fields.some((field) => field.isDenied)) return bailOut;
    return this.#generate<ObjectWriter>(`write${type.name}`, 'o', (capture) => {
      // Upper bound of the bytes that the object writes between its values.
      let size = 0;
      const lines = fields.map((field, index) => {
        const name = fieldPrefix(field, index);
        size += name.length + maxLiteralBytes;
        return this.#field(field, type, name, capture);
      });
      if (fields.length === 0) lines.push(literal('{'));
      const isRead = fields.some((field) => field.fieldName !== '__typename' && !this.#isPending(field));
      const check = isRead ? '' : 'if (isRawNumber(o)) bailOut();\n';
      return { body: `${check}let d, v;\n${makeRoom}\n${lines.join('\n')}\n${literal('}')}`, size };
    });
  }

  /** Generates a writer. `body` leaves the position in `p` and writes at most `size` bytes besides values. */
  #generate<Write extends ObjectWriter | ValueWriter>(
    name: string,
    parameter: string,
    code: (capture: Capture) => { readonly body: string; readonly size: number },
  ): Write {
    const captured: Record<string, unknown> = {
      sink,
      bailOut,
      writeJson,
      isRawInteger,
      isRawNumber,
      toNumber,
    };
    const { body, size } = code((value) => {
      const captureName = `c${Object.keys(captured).length}`;
      captured[captureName] = value;
      return captureName;
    });
    captured.size = size;
    return generateFunction<Write>(name, [parameter, 'p', 'f'], `${body}\nreturn p;`, captured) ?? bailOut();
  }

  #field(field: CollectedField, type: GraphQLObjectType, name: string, capture: Capture): string {
    if (field.fieldName === '__typename') return literal(`${name}"${type.name}"`);
    if (this.#isPending(field)) return isNonNullType(field.type) ? 'bailOut();' : literal(`${name}null`);
    const value = this.#value(field.type, field.selectionSet, 'v', 0, capture, isAbsentField);
    return `v = o.${field.internalName};\n${literal(name)}\n${value}`;
  }

  #isPending({ enrichmentGroups }: CollectedField): boolean {
    return enrichmentGroups.some((group) => this.#options.pendingGroups.has(group));
  }

  /** Returns statements that write the value of `variable`. `isAbsent`: whether it is undefined in an ordinary response. */
  #value(
    type: GraphQLOutputType,
    set: SelectionSet | undefined,
    variable: string,
    depth: number,
    capture: Capture,
    isAbsent = `${variable} === undefined`,
  ): string {
    const nullable = isNonNullType(type) ? type.ofType : type;
    const mayBeNull = !isNonNullType(type) && (set === undefined || this.#options.writesNullObjects);
    const otherwise = !mayBeNull
      ? 'else bailOut();'
      : `else if (${variable} === null || ${isAbsent}) {\n${literal('null')}\n} else bailOut();`;
    if (isListType(nullable)) {
      const list = `l${depth}`;
      const index = `i${depth}`;
      const element = `e${depth}`;
      return `if (Array.isArray(${variable})) {
const ${list} = ${variable};
${literal('[')}
for (let ${index} = 0; ${index} < ${list}.length; ${index}++) {
const ${element} = ${list}[${index}];
${makeRoom}
if (${index} > 0) d.setUint8(p++, 44);
${this.#value(nullable.ofType, set, element, depth + 1, capture)}
}
${makeRoom}
${literal(']')}
} ${otherwise}`;
    }
    if (isLeafType(nullable)) return this.#leaf(nullable, variable, otherwise, capture);
    const write = capture(this.#compositeWriter(nullable, set as SelectionSet));
    return `if (typeof ${variable} === 'object' && ${variable} !== null && !Array.isArray(${variable})) {
p = sink.shared === undefined ? ${write}(${variable}, p, f) : sink.object(${write}, ${variable}, p, f);
${makeRoom}
} ${otherwise}`;
  }

  #leaf(type: GraphQLLeafType, variable: string, otherwise: string, capture: Capture): string {
    const string = `p = sink.string(${variable}, p, f);\n${makeRoom}`;
    if (isEnumType(type)) {
      const values = capture(new Set(type.getValues().map((value) => value.name)));
      return `if (${values}.has(${variable})) {\n${string}\n} ${otherwise}`;
    }
    if (!isSpecifiedScalarType(type)) {
      // JSON.parse turns a number that is too large into Infinity, and JSON.stringify turns that into null.
      return `if (${variable} !== null && ${variable} !== undefined && (typeof ${variable} !== 'number' || ${variable} - ${variable} === 0)) {
p = writeJson(${variable}, p);
${makeRoom}
} ${otherwise}`;
    }
    switch (type.name) {
      case 'Int':
        return `if (typeof ${variable} === 'number' && (${variable} | 0) === ${variable}) {
p = sink.integer(${variable}, p);
${makeRoom}
} ${otherwise}`;
      case 'Float':
        return `if (typeof ${variable} === 'number' && ${variable} - ${variable} === 0) {
p = sink.json(String(${variable}), p);
${makeRoom}
} else if (Number.isFinite(toNumber(${variable}))) {
p = sink.json(String(toNumber(${variable})), p);
${makeRoom}
} ${otherwise}`;
      case 'Boolean':
        return `if (${variable} === true) {\n${literal('true')}\n} else if (${variable} === false) {\n${literal('false')}\n} ${otherwise}`;
      case 'ID':
        return `if (typeof ${variable} === 'string') {\n${string}\n} else if (Number.isInteger(${variable})) {
p = sink.string(String(${variable}), p, true);
${makeRoom}
} else if (isRawInteger(${variable})) {
p = sink.string(${variable}.rawJSON, p, true);
${makeRoom}
} ${otherwise}`;
      default:
        return `if (typeof ${variable} === 'string') {\n${string}\n} ${otherwise}`;
    }
  }

  #compositeWriter(type: GraphQLCompositeType, set: SelectionSet): ObjectWriter {
    if (!isAbstractType(type)) return this.objectWriterOf(set, type);
    const writers = new Map<unknown, ObjectWriter>();
    return (object, position, isEscapeFree) => {
      const name = object.__typename;
      let write = writers.get(name);
      if (write === undefined) {
        write = this.objectWriterOf(set, this.objectTypeOf(type, object));
        writers.set(name, write);
      }
      return write(object, position, isEscapeFree);
    };
  }
}

/** The text before the value of an object's field. */
export function fieldPrefix(field: CollectedField, index: number): string {
  return `${index === 0 ? '{' : ','}"${field.responseName}":`;
}

function getOrCreate<A, B, T>(byBoth: Map<A, Map<B, T>>, first: A, second: B, create: () => T): T {
  let bySecond = byBoth.get(first);
  if (bySecond === undefined) {
    bySecond = new Map();
    byBoth.set(first, bySecond);
  }
  let value = bySecond.get(second);
  if (value === undefined) {
    value = create();
    bySecond.set(second, value);
  }
  return value;
}

type Capture = (value: unknown) => string;

/** Upper bound for each field besides its name: `false`, or brackets and a comma, and what `literal` writes after its text. */
const maxLiteralBytes = 24;

/** A raw number has no fields. It is looked for where a field is absent, which takes no time of ordinary objects. */
const isAbsentField = 'v === undefined && !isRawNumber(o)';

/** A called function may have used the reserved bytes, or replaced the buffer. */
const makeRoom = 'sink.reserve(p, size);\nd = sink.view;';

/** Returns statements that write ASCII text: eight bytes at a time, as a number with these bytes. They may write up to seven
 *  bytes after the text, which what follows overwrites. */
function literal(text: string): string {
  const stores: string[] = [];
  for (let at = 0; at < text.length; at += 8) {
    const [first = 0, second = 0, ...more] = Buffer.from(text.slice(at, at + 8));
    if (more.length > 0) stores.push(`d.setFloat64(p + ${at}, ${doubleOf(text.slice(at, at + 8))}, true);`);
    else if (second === 0) stores.push(`d.setUint8(p + ${at}, ${first});`);
    else stores.push(`d.setUint16(p + ${at}, ${first + second * 256}, true);`);
  }
  return `${stores.join(' ')} p += ${text.length};`;
}

/** The number whose bytes are this text of up to eight ASCII characters. None of them is NaN: its last byte would be 127. */
function doubleOf(text: string): number {
  return Buffer.alloc(8, text.padEnd(8, '\0')).readDoubleLE();
}
