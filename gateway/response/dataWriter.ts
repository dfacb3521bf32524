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
import { generateFunction } from '../generateFunction.ts';
import type { CollectedField, SelectionSet } from '../operation/selection.ts';
import { ByteSink } from './byteSink.ts';

/** Writes an answer's JSON straight from the response tree, by functions generated for the operation: one for
 *  each selection set and runtime type that occurs.
 *
 *  It only knows ordinary answers. At anything else (a null that must not be, a value of the wrong kind, a type
 *  the API schema hides, a host that forbids code generation) it gives up, and `shapeData` does it properly. */
export class DataWriter {
  readonly #schema: GraphQLSchema;
  readonly #root: SelectionSet;
  readonly #rootType: GraphQLObjectType;
  #write: WriteObject | undefined;

  constructor(schema: GraphQLSchema, root: SelectionSet, rootType: GraphQLObjectType) {
    this.#schema = schema;
    this.#root = root;
    this.#rootType = rootType;
  }

  /** UTF-8 of `before`, the data and `after`, which are ASCII. `isEscapeFree`: no string in the tree needs an
   *  escape sequence. `undefined` where the answer is not ordinary. */
  write(tree: ResponseObject, isEscapeFree: boolean, before: string, after: string): Buffer | undefined {
    try {
      this.#write ??= new Generator(this.#schema).writerOf(this.#root, this.#rootType);
      let position = sink.json(before, 0);
      position = this.#write(tree, position, isEscapeFree);
      return sink.take(sink.json(after, position));
    } catch (error) {
      if (error === notOrdinary) return undefined;
      throw error;
    }
  }
}

/** Writes an object at a position and returns the position after it. */
type WriteObject = (object: ResponseObject, position: number, isEscapeFree: boolean) => number;

const sink = new ByteSink();

/** Thrown once made, as it may happen for every answer of an operation. */
const notOrdinary = new Error('The answer is not ordinary.');

function giveUp(): never {
  throw notOrdinary;
}

/** Names in the generated code: `o` the object, `p` the position, `b` the sink's bytes, `f` whether strings are
 *  free of escapes, `v` a field's value. Names of the schema in it are GraphQL names. */
class Generator {
  readonly #schema: GraphQLSchema;

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  writerOf(set: SelectionSet, type: GraphQLObjectType): WriteObject {
    const { fields } = set.collect(this.#schema, type);
    const captured: Record<string, unknown> = { sink, giveUp };
    const capture = (value: unknown): string => {
      const name = `c${Object.keys(captured).length}`;
      captured[name] = value;
      return name;
    };
    // What the object writes between its values, at most.
    let size = 0;
    const lines = fields.map((field, index) => {
      const name = `${index === 0 ? '{' : ','}"${field.responseName}":`;
      size += name.length + longestLiteral;
      return this.#field(field, type, name, capture);
    });
    if (fields.length === 0) lines.push(literal('{'));
    captured.size = size;
    const body = `let b, v;\n${makeRoom}\n${lines.join('\n')}\n${literal('}')}\nreturn p;`;
    const write = generateFunction<WriteObject>(['o', 'p', 'f'], body, captured);
    if (write === undefined) giveUp();
    return write;
  }

  #field(field: CollectedField, type: GraphQLObjectType, name: string, capture: Capture): string {
    if (field.fieldName === '__typename') return literal(`${name}"${type.name}"`);
    return `v = o.${field.internalName};\n${literal(name)}\n${this.#value(field.type, field.set, 'v', 0, capture)}`;
  }

  /** Statements that write the value of `variable`. */
  #value(
    type: GraphQLOutputType,
    set: SelectionSet | undefined,
    variable: string,
    depth: number,
    capture: Capture,
  ): string {
    const nullable = isNonNullType(type) ? type.ofType : type;
    const otherwise = isNonNullType(type)
      ? 'else giveUp();'
      : `else if (${variable} === null || ${variable} === undefined) {\n${literal('null')}\n} else giveUp();`;
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
if (${index} > 0) b[p++] = 44;
${this.#value(nullable.ofType, set, element, depth + 1, capture)}
}
${makeRoom}
${literal(']')}
} ${otherwise}`;
    }
    if (isLeafType(nullable)) return this.#leaf(nullable, variable, otherwise, capture);
    const write = capture(this.#compositeWriter(nullable, set as SelectionSet));
    return `if (typeof ${variable} === 'object' && ${variable} !== null && !Array.isArray(${variable})) {
p = ${write}(${variable}, p, f);
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
      return `if (${variable} !== null && ${variable} !== undefined) {
p = sink.json(JSON.stringify(${variable}), p);
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
} ${otherwise}`;
      case 'Boolean':
        return `if (${variable} === true) {\n${literal('true')}\n} else if (${variable} === false) {\n${literal('false')}\n} ${otherwise}`;
      case 'ID':
        return `if (typeof ${variable} === 'string') {\n${string}\n} else if (Number.isInteger(${variable})) {
p = sink.string(String(${variable}), p, true);
${makeRoom}
} ${otherwise}`;
      default:
        return `if (typeof ${variable} === 'string') {\n${string}\n} ${otherwise}`;
    }
  }

  #compositeWriter(type: GraphQLCompositeType, set: SelectionSet): WriteObject {
    if (!isAbstractType(type)) return this.writerOf(set, type);
    const writers = new Map<unknown, WriteObject>();
    return (object, position, isEscapeFree) => {
      const name = object.__typename;
      let write = writers.get(name);
      if (write === undefined) {
        const named = typeof name === 'string' ? this.#schema.getType(name) : undefined;
        if (!isObjectType(named) || !this.#schema.isSubType(type, named)) giveUp();
        write = this.writerOf(set, named);
        writers.set(name, write);
      }
      return write(object, position, isEscapeFree);
    };
  }
}

type Capture = (value: unknown) => string;

/** For each field besides its name: `false`, or brackets and a comma. */
const longestLiteral = 16;

/** Whatever was called may have filled the room, or moved to a larger buffer. */
const makeRoom = 'sink.reserve(p, size);\nb = sink.bytes;';

/** Statements that write ASCII text. */
function literal(text: string): string {
  const stores = Array.from(text, (character, index) => `b[p + ${index}] = ${character.charCodeAt(0)};`);
  return `${stores.join(' ')} p += ${text.length};`;
}
