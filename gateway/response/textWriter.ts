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
  isSpecifiedScalarType,
} from 'graphql';
import type { ResponseObject } from '../execution/responseTree.ts';
import type { CollectedField, SelectionSet } from '../operation/selection.ts';
import { runtimeTypeOf } from './runtimeType.ts';

/** Writes the JSON text of an operation's data straight from the response tree, by functions generated for the
 *  operation: one for each selection set and runtime type that occurs.
 *
 *  It only knows ordinary answers. At anything else (a null that must not be, a value of the wrong kind, a type
 *  the API schema hides) it gives up, and `shapeData` does it properly. */
export class TextWriter {
  readonly #schema: GraphQLSchema;
  readonly #root: SelectionSet;
  readonly #rootType: GraphQLObjectType;
  #checked: WriteObject | undefined;
  #plain: WriteObject | undefined;

  constructor(schema: GraphQLSchema, root: SelectionSet, rootType: GraphQLObjectType) {
    this.#schema = schema;
    this.#root = root;
    this.#rootType = rootType;
  }

  /** `isEscapeFree`: no string in the tree needs escaping. `undefined` where the answer is not ordinary. */
  write(tree: ResponseObject, isEscapeFree: boolean): string | undefined {
    try {
      if (isEscapeFree) {
        this.#plain ??= new Generator(this.#schema, true).writerOf(this.#root, this.#rootType);
        return this.#plain(tree);
      }
      this.#checked ??= new Generator(this.#schema, false).writerOf(this.#root, this.#rootType);
      return this.#checked(tree);
    } catch (error) {
      // EvalError: the host forbids code generation.
      if (error === notOrdinary || error instanceof EvalError) return undefined;
      throw error;
    }
  }
}

type WriteObject = (object: ResponseObject) => string;

/** Thrown once made, as it may happen for every answer of an operation. */
const notOrdinary = new Error('The answer is not ordinary.');

function giveUp(): never {
  throw notOrdinary;
}

/** Every name that ends up in generated code is a GraphQL name, so it can mean nothing but itself; all other
 *  values are passed as arguments. */
class Generator {
  readonly #schema: GraphQLSchema;
  readonly #isEscapeFree: boolean;

  constructor(schema: GraphQLSchema, isEscapeFree: boolean) {
    this.#schema = schema;
    this.#isEscapeFree = isEscapeFree;
  }

  writerOf(set: SelectionSet, type: GraphQLObjectType): WriteObject {
    const { fields } = set.collect(this.#schema, type);
    const captured: unknown[] = [];
    const capture = (value: unknown): string => {
      captured.push(value);
      return `c${captured.length - 1}`;
    };
    const lines = fields.map((field, index) => {
      const name = `${index === 0 ? '' : ','}"${field.responseName}":`;
      return this.#field(field, type, name, capture);
    });
    const names = captured.map((_, index) => `c${index}`);
    const body = `return function write(o) {\nlet v, s = '{';\n${lines.join('\n')}\nreturn s + '}';\n};`;
    return new Function('giveUp', ...names, body)(giveUp, ...captured) as WriteObject;
  }

  #field(
    field: CollectedField,
    type: GraphQLObjectType,
    name: string,
    capture: (value: unknown) => string,
  ): string {
    if (field.fieldName === '__typename') return `s += '${name}"${type.name}"';`;
    return `v = o.${field.internalName};\n${this.#value(field.type, field.set, 'v', name, 0, capture)}`;
  }

  /** Statements that append `prefix` and the value of `variable` to `s`. */
  #value(
    type: GraphQLOutputType,
    set: SelectionSet | undefined,
    variable: string,
    prefix: string,
    depth: number,
    capture: (value: unknown) => string,
  ): string {
    const nullable = isNonNullType(type) ? type.ofType : type;
    const otherwise = isNonNullType(type)
      ? 'else giveUp();'
      : `else if (${variable} === null || ${variable} === undefined) s += '${prefix}null';\nelse giveUp();`;
    if (isListType(nullable)) {
      const list = `l${depth}`;
      const index = `i${depth}`;
      const element = `e${depth}`;
      return `if (Array.isArray(${variable})) {
const ${list} = ${variable};
s += '${prefix}[';
for (let ${index} = 0; ${index} < ${list}.length; ${index}++) {
const ${element} = ${list}[${index}];
if (${index} > 0) s += ',';
${this.#value(nullable.ofType, set, element, '', depth + 1, capture)}
}
s += ']';
} ${otherwise}`;
    }
    if (isLeafType(nullable)) return this.#leaf(nullable, variable, prefix, otherwise, capture);
    const write = capture(this.#compositeWriter(nullable, set as SelectionSet));
    return `if (typeof ${variable} === 'object' && ${variable} !== null && !Array.isArray(${variable})) s += '${prefix}' + ${write}(${variable});\n${otherwise}`;
  }

  #leaf(
    type: GraphQLLeafType,
    variable: string,
    prefix: string,
    otherwise: string,
    capture: (value: unknown) => string,
  ): string {
    const string = this.#isEscapeFree
      ? `s += '${prefix}"' + ${variable} + '"';`
      : `s += '${prefix}' + ${capture(quote)}(${variable});`;
    if (isEnumType(type)) {
      const values = capture(new Set(type.getValues().map((value) => value.name)));
      // Enum values are GraphQL names: nothing in them needs escaping.
      return `if (${values}.has(${variable})) s += '${prefix}"' + ${variable} + '"';\n${otherwise}`;
    }
    if (!isSpecifiedScalarType(type)) {
      return `if (${variable} !== null && ${variable} !== undefined) s += '${prefix}' + ${capture(writeJson)}(${variable});\n${otherwise}`;
    }
    switch (type.name) {
      case 'Int':
        return `if (typeof ${variable} === 'number' && (${variable} | 0) === ${variable}) s += '${prefix}' + ${variable};\n${otherwise}`;
      case 'Float':
        return `if (typeof ${variable} === 'number' && ${variable} - ${variable} === 0) s += '${prefix}' + ${variable};\n${otherwise}`;
      case 'Boolean':
        return `if (typeof ${variable} === 'boolean') s += '${prefix}' + ${variable};\n${otherwise}`;
      case 'ID':
        return `if (typeof ${variable} === 'string') ${string}\nelse if (Number.isInteger(${variable})) s += '${prefix}"' + ${variable} + '"';\n${otherwise}`;
      default:
        return `if (typeof ${variable} === 'string') ${string}\n${otherwise}`;
    }
  }

  #compositeWriter(type: GraphQLCompositeType, set: SelectionSet): WriteObject {
    if (!isAbstractType(type)) return this.writerOf(set, type);
    const writers = new Map<unknown, WriteObject>();
    return (object) => {
      const name = object.__typename;
      let write = writers.get(name);
      if (write === undefined) {
        const runtimeType = runtimeTypeOf(this.#schema, type, set, name) ?? giveUp();
        write = this.writerOf(set, runtimeType);
        writers.set(name, write);
      }
      return write(object);
    };
  }
}

function quote(value: string): string {
  return JSON.stringify(value);
}

function writeJson(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}
