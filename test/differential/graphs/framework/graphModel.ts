import {
  type FieldNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type TypeNode,
  valueFromASTUntyped,
} from 'graphql';
import { Definitions, namedTypeOf, type SubgraphField } from './definitions.ts';
import { Faults } from './faults.ts';
import type { Graph, GraphObject, ResolverCall } from './graph.ts';
import { hash } from './hash.ts';

/** The context of one operation. */
export interface TrialContext {
  readonly faults: Faults;
  readonly state: unknown;
  /** Messages of failures where the operation has no field: inside the selection of a `@requires`. */
  readonly toleratedMessages: Set<string>;
  /** Called for each fault, if faults are counted. */
  readonly onFault?: (() => void) | undefined;
  /** The subgraph whose entities are missing, with all fields that may need them. */
  readonly lostSubgraph?: string | undefined;
}

type ReadField = (typeName: string, thing: GraphObject, field: FieldNode) => unknown;

/** A graph's data, and the only code that resolves its fields, for the monolith and the subgraphs. */
export class GraphModel {
  readonly graph: Graph;
  readonly definitions: Definitions;
  /** The number of field failures in subgraphs, by the kind of the operation. */
  readonly faultCounts = { query: 0, mutation: 0 };
  readonly #contexts = new Map<string, TrialContext>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.definitions = new Definitions(graph.subgraphs);
  }

  createContext(faults: string | undefined): TrialContext {
    return { faults: Faults.parse(faults), state: this.graph.createState?.(), toleratedMessages: new Set() };
  }

  /** The context in a subgraph: the same for all requests of an operation with a name. Mutations have one. */
  contextOf(trial: string, faults: string | undefined): TrialContext {
    const key = `${trial} ${faults}`;
    const kind = trial === '' ? 'query' : 'mutation';
    const onFault = (): void => void this.faultCounts[kind]++;
    const context = this.#contexts.get(key) ?? { ...this.createContext(faults), onFault };
    if (trial !== '') this.#contexts.set(key, context);
    return context;
  }

  /** @throws {GraphQLError} for an injected fault, or the error of the graph's resolver. */
  resolve(
    typeName: string,
    thing: GraphObject,
    fieldName: string,
    args: Readonly<Record<string, unknown>>,
    context: TrialContext,
    required: ResolverCall['required'] | undefined,
  ): unknown {
    const runtime = thing.__typename ?? typeName;
    if (this.#mayFail(runtime, fieldName) && context.faults.shouldFail(`${labelOf(thing)}.${fieldName}`)) {
      context.onFault?.();
      throw new GraphQLError(`${fieldName} of ${labelOf(thing)} failed`);
    }
    const resolver = [runtime, ...this.definitions.supertypes(runtime)]
      .map((name) => this.graph.resolvers?.[`${name}.${fieldName}`])
      .find((found) => found !== undefined);
    if (resolver !== undefined)
      return resolver(thing, args, { required: required ?? {}, state: context.state });
    if (Object.hasOwn(thing, fieldName)) return read(thing, fieldName, args);
    const { type } = this.definitions.declaration(runtime, fieldName);
    const argumentText = Object.keys(args).length === 0 ? '' : `(${stableJson(args)})`;
    return generateValue(
      `${labelOf(thing)}.${fieldName}${argumentText}${required ? `<${stableJson(required)}>` : ''}`,
      type,
    );
  }

  /** The entity of a reference; `undefined` if the subgraph does not know it. */
  find(subgraph: string, typeName: string, reference: GraphObject): GraphObject | undefined {
    const keys = this.definitions.keys(subgraph, typeName).filter(({ isResolvable }) => isResolvable);
    const wanted = keys.map(({ selection }) => ({
      selection,
      text: this.#identity(reference, typeName, selection),
    }));
    const usable = wanted.filter(({ text }) => !text.includes(missing));
    if (usable.length === 0) throw new GraphQLError(`No key of ${subgraph} in ${JSON.stringify(reference)}`);
    const { entities } = this.graph;
    return [typeName, ...this.definitions.subtypes(typeName)]
      .flatMap((name) => entities[name] ?? [])
      .find(
        (thing) =>
          this.graph.isUnknown?.(thing, subgraph) !== true &&
          usable.every(({ selection, text }) => this.#identity(thing, typeName, selection) === text),
      );
  }

  /** The result of a selection, by field names. */
  select(value: unknown, typeName: string, set: SelectionSetNode, readField: ReadField): unknown {
    if (value === null || value === undefined) return null;
    if (Array.isArray(value)) return value.map((item) => this.select(item, typeName, set, readField));
    const thing = value as GraphObject;
    const runtime = thing.__typename ?? typeName;
    const result: Record<string, unknown> = {};
    for (const node of set.selections) {
      if (node.kind === Kind.FRAGMENT_SPREAD) continue;
      if (node.kind === Kind.INLINE_FRAGMENT) {
        const condition = node.typeCondition?.name.value;
        if (condition !== undefined && !this.definitions.isSubtype(runtime, condition)) {
          // Objects in representations have no `__typename` unless it is required.
          if (thing.__typename === undefined) Object.assign(result, sentFields(thing, node.selectionSet));
          continue;
        }
        Object.assign(result, this.select(thing, typeName, node.selectionSet, readField));
        continue;
      }
      const name = node.name.value;
      if (name === '__typename') result[name] = runtime;
      else {
        const child = readField(runtime, thing, node);
        result[name] =
          node.selectionSet === undefined || child === missing
            ? child
            : this.select(
                child,
                namedTypeOf(this.definitions.declaration(runtime, name).type),
                node.selectionSet,
                readField,
              );
      }
    }
    return result;
  }

  /** The part of a representation that a selection selects. */
  pick(reference: GraphObject, typeName: string, set: SelectionSetNode): ResolverCall['required'] {
    return this.select(reference, typeName, set, readSent) as ResolverCall['required'];
  }

  /** The required fields to send to the subgraph for a field of this object; null if a part is unavailable, so that
   *  the subgraph is not called. */
  require(
    thing: GraphObject,
    typeName: string,
    { requires }: SubgraphField,
    context: TrialContext,
  ): ResolverCall['required'] | null | undefined {
    if (requires === undefined) return undefined;
    const required = this.selectAnswers(thing, typeName, requires, context);
    return stableJson(required).includes(missing) ? null : required;
  }

  /** The result of a selection whose fields are resolved. */
  selectAnswers(
    thing: GraphObject,
    typeName: string,
    set: SelectionSetNode,
    context: TrialContext,
  ): ResolverCall['required'] {
    const readField: ReadField = (parentType, parent, node) =>
      this.#answer(parentType, parent, node, context);
    return this.select(thing, typeName, set, readField) as ResolverCall['required'];
  }

  #answer(typeName: string, thing: GraphObject, node: FieldNode, context: TrialContext): unknown {
    const name = node.name.value;
    const field = this.fieldFor(typeName, thing, name);
    if (field === undefined) return missing;
    const args: Record<string, unknown> = {};
    for (const { name: argument, defaultValue } of field.node.arguments ?? []) {
      const given = node.arguments?.find((one) => one.name.value === argument.value)?.value ?? defaultValue;
      if (given !== undefined) args[argument.value] = valueFromASTUntyped(given);
    }
    const required = this.require(thing, typeName, field, context);
    if (required === null) return null;
    try {
      return this.resolve(typeName, thing, name, args, context, required);
    } catch (error) {
      context.toleratedMessages.add((error as Error).message);
      return null;
    }
  }

  /** The subgraph that resolves the field; `undefined` if no subgraph knows the object. */
  fieldFor(typeName: string, thing: GraphObject, fieldName: string): SubgraphField | undefined {
    const { isUnknown = () => false } = this.graph;
    return this.definitions
      .resolvableFields(typeName, fieldName)
      .find(({ subgraph }) => !isUnknown(thing, subgraph));
  }

  /** Whether the field, or anything that it requires, may be fetched as a field of the subgraph's entities. */
  mayNeed(subgraph: string, typeName: string, fieldName: string): boolean {
    if (rootTypes.has(typeName)) return false;
    return this.definitions
      .resolvableFields(typeName, fieldName)
      .some(
        ({ subgraph: own, requires, fromContext }) =>
          own === subgraph || requires !== undefined || fromContext.length > 0,
      );
  }

  /** A fault is allowed where null is allowed and where it does not prevent other entities from being found. */
  #mayFail(typeName: string, fieldName: string): boolean {
    return (
      !this.definitions.isKeyField(fieldName) &&
      this.definitions
        .resolvableFields(typeName, fieldName)
        .every(({ node }) => node.type.kind !== Kind.NON_NULL_TYPE)
    );
  }

  #identity(value: GraphObject, typeName: string, selection: SelectionSetNode): string {
    return stableJson(this.select(value, typeName, selection, readSent));
  }
}

export const missing = '(missing)';

const rootTypes: ReadonlySet<string> = new Set(['Query', 'Mutation']);

function readSent(_: string, thing: GraphObject, node: FieldNode): unknown {
  const name = node.name.value;
  return Object.hasOwn(thing, name) ? read(thing, name, {}) : missing;
}

/** Fields of a fragment for an object that may have its type. */
function sentFields(thing: GraphObject, set: SelectionSetNode): Record<string, unknown> {
  const names = set.selections.flatMap((node) => (node.kind === Kind.FIELD ? [node.name.value] : []));
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(thing, name)).map((name) => [name, thing[name]]),
  );
}

function read(thing: GraphObject, name: string, args: Readonly<Record<string, unknown>>): unknown {
  const value = thing[name];
  return typeof value === 'function' ? value(args) : value;
}

/** Identifies an object: the start of a generated field value. */
function labelOf(thing: GraphObject): string {
  if (thing.label !== undefined) return String(thing.label);
  if (thing.id !== undefined) return `${thing.__typename ?? ''} ${thing.id}`.trim();
  const plain = Object.entries(thing).filter(
    ([, value]) => typeof value !== 'function' && typeof value !== 'object',
  );
  return plain.length === 0 ? 'root' : plain.map(([, value]) => String(value)).join(' ');
}

/** Serializes equal values to equal JSON texts. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}

function generateValue(text: string, type: TypeNode): unknown {
  if (type.kind === Kind.NON_NULL_TYPE) return generateValue(text, type.type);
  if (type.kind === Kind.LIST_TYPE)
    return [0, 1].map((index) => generateValue(`${text}[${index}]`, type.type));
  switch (type.name.value) {
    case 'String':
    case 'ID':
      return text;
    case 'Int':
      return hash(text) % 1_000_000;
    case 'Float':
      return (hash(text) % 1_000_000) + 0.5;
    case 'Boolean':
      return hash(text) % 2 === 0;
    default:
      throw new Error(`The graph has no value for ${text}.`);
  }
}
