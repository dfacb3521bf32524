import {
  type GraphQLScalarType,
  Kind,
  type OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  specifiedScalarTypes,
  type TypeNode,
} from 'graphql';
import { serializeScalar } from '../../json/exactJson.ts';
import { hasInfinity } from '../../json/hasInfinity.ts';
import { isObject } from '../../json/isObject.ts';
import { namedTypeOf } from '../../planning/supergraphDocument.ts';
import { type CacheGraph, fieldTypeIn, type GraphType } from './cacheGraph.ts';
import type { OperationShape } from './visitSelections.ts';

/** Finds values of one fetch shape that the supergraph forbids. Values must be as the subgraph sent them, before output
 *  rewrites. The methods return the coordinate of the first field with a forbidden value, or a type; `undefined` for a value
 *  that satisfies the selection and the schema. */
export interface ValueValidator {
  /** For the value that a representation of this type fetched. */
  findInvalidInEntity(typename: string, value: unknown): string | undefined;
  /** The value of a root field; without a name, the data of the whole fetch. */
  findInvalidInRoot(responseName: string | undefined, value: unknown): string | undefined;
}

/** Whether a value is allowed at one position. */
type Check = (value: unknown) => boolean;

/** Prepares the checks of a shape. Create one validator for each shape and supergraph. Leaf values are allowed if the gateway
 *  can send them to clients: `"5"` is an `Int`. Custom scalars allow everything that JSON expresses. */
export function createValueValidator(shape: OperationShape, graph: CacheGraph): ValueValidator {
  const compiler = new CheckCompiler(graph, shape.subgraph);
  return shape.isEntityFetch
    ? createEntityValidator(shape, compiler)
    : createRootValidator(shape, graph, compiler);
}

function createEntityValidator({ document }: OperationShape, compiler: CheckCompiler): ValueValidator {
  const sets = document.selectionSet.selections.flatMap((selection) =>
    selection.kind === Kind.FIELD ? (selection.selectionSet ?? []) : [],
  );
  const checks = new Map<string, Check>();
  return {
    findInvalidInEntity(typename, value) {
      if (value === null) return undefined;
      let check = checks.get(typename);
      if (check === undefined) {
        check = compiler.compileComposite(typename, sets);
        checks.set(typename, check);
      }
      return compiler.run(check, value, typename);
    },
    findInvalidInRoot: () => undefined,
  };
}

function createRootValidator(
  { document, kind }: OperationShape,
  graph: CacheGraph,
  compiler: CheckCompiler,
): ValueValidator {
  const rootName = graph.roots.get(kind as OperationTypeNode) ?? '';
  const root = graph.types.get(rootName);
  const fields = root === undefined ? [] : compiler.compileFields(root, [document.selectionSet]);
  const checkData = compiler.compileObject(fields);
  return {
    findInvalidInEntity: () => undefined,
    findInvalidInRoot(responseName, value) {
      if (responseName === undefined) return compiler.run(checkData, value, rootName);
      const field = fields.find(({ key }) => key === responseName);
      return field === undefined ? undefined : compiler.run(field.check, value, field.coordinate);
    },
  };
}

/** Compiles selections into checks, and runs them: its checks record the first invalid field. */
class CheckCompiler {
  readonly #graph: CacheGraph;
  readonly #subgraph: string;
  #invalid: string | undefined;

  constructor(graph: CacheGraph, subgraph: string) {
    this.#graph = graph;
    this.#subgraph = subgraph;
  }

  /** Returns the coordinate of the first invalid field. `position`: what to return if the value itself is invalid. */
  run(check: Check, value: unknown, position: string): string | undefined {
    this.#invalid = undefined;
    return check(value) ? undefined : (this.#invalid ?? position);
  }

  compileComposite(name: string, sets: readonly SelectionSetNode[]): Check {
    const type = this.#graph.types.get(name);
    if (type === undefined) return () => true;
    // Without `__typename`, the subgraph has one object type in place of the abstract one.
    if (!type.isAbstract || collectFields(type, sets).get('__typename')?.name !== '__typename')
      return this.compileObject(this.compileFields(type, sets));
    const checks = new Map<unknown, Check>();
    return (value) => {
      if (!isObject(value)) return false;
      const { __typename: runtimeName } = value;
      let check = checks.get(runtimeName);
      if (check === undefined) {
        const runtimeType = typeWithin(runtimeName, type, this.#graph);
        if (runtimeType === undefined) {
          this.#invalid ??= `${type.name}.__typename`;
          return false;
        }
        check = this.compileObject(this.compileFields(runtimeType, sets));
        checks.set(runtimeName, check);
      }
      return check(value);
    };
  }

  compileObject(fields: readonly FieldCheck[]): Check {
    return (value) => {
      if (!isObject(value)) return false;
      for (const { key, isOnPrototype, isOptional, check, coordinate } of fields) {
        const field = isOnPrototype && !Object.hasOwn(value, key) ? undefined : value[key];
        if (field === undefined ? isOptional : check(field)) continue;
        this.#invalid ??= coordinate;
        return false;
      }
      return true;
    };
  }

  /** The fields that an object of this type has. An interface stands for an object of a subgraph with an `@interfaceObject`. */
  compileFields(type: GraphType, sets: readonly SelectionSetNode[]): FieldCheck[] {
    return [...collectFields(type, sets)].map(([key, { name, isOptional, sets: below }]) => {
      const field = type.fields.get(name);
      return {
        key,
        isOnPrototype: key in Object.prototype,
        isOptional,
        coordinate: `${type.name}.${name}`,
        check:
          name === '__typename'
            ? (value: unknown) =>
                value === type.name || (type.isAbstract && typeWithin(value, type, this.#graph) !== undefined)
            : field === undefined
              ? () => true
              : this.#compileType(
                  field.type,
                  namedTypeOf({ type: fieldTypeIn(field, this.#subgraph) }),
                  below,
                ),
      };
    });
  }

  /** `name`: the type of the field in the subgraph, without lists. */
  #compileType(type: TypeNode, name: string, sets: readonly SelectionSetNode[]): Check {
    if (type.kind !== Kind.NON_NULL_TYPE) {
      const check = this.#compileNonNull(type, name, sets);
      return (value) => value === null || check(value);
    }
    const check = this.#compileNonNull(type.type, name, sets);
    return (value) => value !== null && check(value);
  }

  #compileNonNull(type: TypeNode, name: string, sets: readonly SelectionSetNode[]): Check {
    if (type.kind === Kind.LIST_TYPE) {
      const check = this.#compileType(type.type, name, sets);
      return (value) => Array.isArray(value) && value.every(check);
    }
    return sets.length > 0 ? this.compileComposite(name, sets) : compileLeaf(name, this.#graph);
  }
}

function compileLeaf(name: string, graph: CacheGraph): Check {
  const values = graph.enumValues.get(name);
  if (values !== undefined) return (value) => typeof value === 'string' && values.has(value);
  const scalar = specifiedScalarTypes.find((specified) => specified.name === name);
  if (scalar === undefined) return (value) => !hasInfinity(value);
  return (value) => isOrdinary(name, value) || canSerialize(scalar, value);
}

interface CollectedField {
  readonly name: string;
  readonly isOptional: boolean;
  readonly sets: readonly SelectionSetNode[];
}

function collectFields(type: GraphType, sets: readonly SelectionSetNode[]): Map<string, CollectedField> {
  const fields = new Map<string, CollectedField>();
  const gather = ({ selections }: SelectionSetNode, isOptional: boolean): void => {
    for (const selection of selections) {
      const mayBeOmitted = isOptional || isConditional(selection);
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        if (condition === undefined || isAlways(type, condition))
          gather(selection.selectionSet, mayBeOmitted);
      } else if (selection.kind === Kind.FIELD) {
        const key = (selection.alias ?? selection.name).value;
        const known = fields.get(key);
        const below = selection.selectionSet === undefined ? [] : [selection.selectionSet];
        fields.set(key, {
          name: selection.name.value,
          isOptional: mayBeOmitted && known?.isOptional !== false,
          sets: known === undefined ? below : [...known.sets, ...below],
        });
      }
    }
  };
  for (const set of sets) gather(set, false);
  return fields;
}

/** Whether every object of the type satisfies the type condition. */
function isAlways(type: GraphType, condition: string): boolean {
  return condition === type.name || type.supertypes.includes(condition);
}

/** The type that an object with this `__typename` has at a position of type `declared`; `undefined` if it must not be there.
 *  An `@interfaceObject` has the name of the interface. */
function typeWithin(typename: unknown, declared: GraphType, graph: CacheGraph): GraphType | undefined {
  const type = typeof typename === 'string' ? graph.types.get(typename) : undefined;
  if (type === undefined) return undefined;
  const isUnion = type.isAbstract && type.fields.size === 0;
  const isWithin =
    type === declared || type.possibleTypes.every((name) => declared.possibleTypes.includes(name));
  return isWithin && !isUnion ? type : undefined;
}

interface FieldCheck {
  readonly key: string;
  /** `value[key]` would find a member of Object.prototype. */
  readonly isOnPrototype: boolean;
  /** `@skip` or `@include` may leave the field out. */
  readonly isOptional: boolean;
  readonly coordinate: string;
  readonly check: Check;
}

function isConditional({ directives = [] }: SelectionNode): boolean {
  return directives.some(({ name }) => name.value === 'skip' || name.value === 'include');
}

/** The usual values of a scalar type, which need no attempt to serialize them. */
function isOrdinary(name: string, value: unknown): boolean {
  switch (name) {
    case 'Int':
      return typeof value === 'number' && (value | 0) === value;
    case 'Float':
      return typeof value === 'number' && Number.isFinite(value);
    case 'Boolean':
      return typeof value === 'boolean';
    default:
      return typeof value === 'string';
  }
}

function canSerialize(scalar: GraphQLScalarType, value: unknown): boolean {
  try {
    serializeScalar(scalar, value);
    return true;
  } catch {
    return false;
  }
}
