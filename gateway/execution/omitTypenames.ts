import {
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { pathBelow, responseNameOf } from '../planning/fieldTree.ts';
import type { FetchNode, RequiresSelection } from '../planning/queryPlan.ts';
import { isEntityFetch, operationTextOf, selectionOf } from './fetchShape.ts';
import type { FlattenPath } from './flattenPath.ts';
import { pathText } from './providersByPath.ts';

/** A fetch of a program, with the path of the objects that it is for. */
interface LocatedFetch {
  readonly fetch: FetchNode;
  readonly path: FlattenPath;
}

export interface ReducedFetch {
  readonly fetch: FetchNode;
  /** The type of all objects at the path of the fetch; `undefined` if their `__typename` decides. */
  readonly objectType: string | undefined;
}

/** Removes `__typename` from the operations of a program's fetches where the schema alone decides the type of an object: all
 *  fields that any fetch brings at a path have the same object type in the API schema, and so in each subgraph.
 *
 *  Kept are those of abstract types, of types that the API schema hides, at paths with type conditions, and in inputs
 *  whose selection depends on the type. Programs with output rewrites or `@fromContext` arguments are not changed: their
 *  paths and conditions mean objects before they are renamed, or above the targets.
 *
 *  Returns the fetches in their order. Those with equal operations stay equal. */
export function omitTypenames(
  located: readonly LocatedFetch[],
  schema: GraphQLSchema,
): readonly ReducedFetch[] {
  const operations = new Map<string, ReducedOperation>();
  const objectTypes = new ObjectTypes(schema);
  const isReducible =
    located.some(({ fetch }) => fetch.operation.includes('__typename')) && located.every(addOperation);
  if (!isReducible) return located.map(({ fetch }) => ({ fetch, objectType: undefined }));
  for (const { fetch, path } of located) objectTypes.forgetNeeded(fetch, path);
  for (const { fetch, path } of located) {
    const operation = operations.get(operationKey(fetch)) as ReducedOperation;
    operation.retain(removableTypenames(fetch, operation.definition, path));
  }
  return located.map(({ fetch, path }) => {
    // The text has its final name.
    const { operationName: _, ...unnamed } = fetch;
    const { text } = operations.get(operationKey(fetch)) as ReducedOperation;
    return { fetch: { ...unnamed, operation: text }, objectType: objectTypes.typeAt(pathText(path)) };
  });

  /** Returns false for a fetch because of which the program is not changed. */
  function addOperation({ fetch, path }: LocatedFetch): boolean {
    const isRewritten = [fetch.outputRewrites, fetch.contextRewrites].some(
      (rewrites) => rewrites !== undefined && rewrites.length > 0,
    );
    if (isRewritten) return false;
    const key = operationKey(fetch);
    let operation = operations.get(key);
    if (operation === undefined) {
      const text = operationTextOf(fetch);
      const [definition, ...more] = parse(text).definitions;
      // Named fragments may be used at several paths. The planner is configured to create none.
      if (definition?.kind !== Kind.OPERATION_DEFINITION || more.length > 0) return false;
      operation = new ReducedOperation(text, definition);
      operations.set(key, operation);
    }
    objectTypes.addFetch(fetch, operation.definition, pathText(path));
    return true;
  }

  function removableTypenames(
    fetch: FetchNode,
    definition: OperationDefinitionNode,
    path: FlattenPath,
  ): ReadonlySet<SelectionNode> {
    const found = new Set<SelectionNode>();
    visit(selectionOf(fetch, definition), pathText(path));
    return found;

    function visit({ selections }: SelectionSetNode, at: string): void {
      const typenames = selections.filter(isTypename);
      // A selection set must not become empty.
      if (objectTypes.typeAt(at) !== undefined && typenames.length < selections.length)
        for (const node of typenames) found.add(node);
      for (const selection of selections) {
        if (selection.kind === Kind.INLINE_FRAGMENT) visit(selection.selectionSet, at);
        else if (selection.kind === Kind.FIELD && selection.selectionSet !== undefined)
          visit(selection.selectionSet, pathBelow(at, responseNameOf(selection)));
      }
    }
  }
}

/** The operation of all fetches with one text. */
class ReducedOperation {
  readonly definition: OperationDefinitionNode;
  readonly #text: string;
  #removed: ReadonlySet<SelectionNode> | undefined;

  constructor(text: string, definition: OperationDefinitionNode) {
    this.#text = text;
    this.definition = definition;
  }

  /** Limits what is removed to `removable`, which is what one of the fetches can do without. */
  retain(removable: ReadonlySet<SelectionNode>): void {
    this.#removed = this.#removed?.intersection(removable) ?? removable;
  }

  get text(): string {
    const locations = [...(this.#removed ?? [])].flatMap(({ loc }) => loc ?? []);
    let rest = this.#text;
    for (const { start, end } of locations.sort((a, b) => b.start - a.start))
      rest = rest.slice(0, start) + rest.slice(end).trimStart();
    return rest;
  }
}

/** The object types at the paths (`pathText`) of a response tree. */
class ObjectTypes {
  readonly #schema: GraphQLSchema;
  /** `undefined` for a path whose objects may have several types. */
  readonly #byPath = new Map<string, string | undefined>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  typeAt(path: string): string | undefined {
    return this.#byPath.get(path);
  }

  addFetch(fetch: FetchNode, definition: OperationDefinitionNode, path: string): void {
    if (isEntityFetch(fetch)) {
      this.#addBelow(selectionOf(fetch, definition), undefined, path);
      return;
    }
    const root = this.#schema.getRootType(definition.operation) ?? undefined;
    this.#add(path, root);
    this.#addBelow(definition.selectionSet, root, path);
  }

  /** Removes the paths at which a step reads `__typename`, besides that of its own objects. */
  forgetNeeded({ requires = [] }: FetchNode, path: FlattenPath): void {
    path.forEach((segment, index) => {
      if (segment.kind === 'key' && segment.types !== undefined)
        this.#byPath.delete(pathText(path.slice(0, index + 1)));
    });
    this.#forgetInputs(requires, pathText(path), false);
  }

  #forgetInputs(selections: readonly RequiresSelection[], path: string, isNested: boolean): void {
    for (const selection of selections) {
      if (isNested && (selection.kind === 'InlineFragment' || selection.name === '__typename'))
        this.#byPath.delete(path);
      if (selection.selections === undefined) continue;
      if (selection.kind === 'InlineFragment') this.#forgetInputs(selection.selections, path, isNested);
      else this.#forgetInputs(selection.selections, `${path}.${selection.alias ?? selection.name}`, true);
    }
  }

  #addBelow({ selections }: SelectionSetNode, parent: GraphQLNamedType | undefined, path: string): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        const type = condition === undefined ? parent : this.#schema.getType(condition);
        this.#addBelow(selection.selectionSet, type, path);
      } else if (selection.kind === Kind.FIELD && selection.selectionSet !== undefined) {
        const below = pathBelow(path, responseNameOf(selection));
        const hasFields = isObjectType(parent) || isInterfaceType(parent);
        const field = hasFields ? parent.getFields()[selection.name.value] : undefined;
        const type = field === undefined ? undefined : getNamedType(field.type);
        this.#add(below, type);
        this.#addBelow(selection.selectionSet, type, below);
      }
    }
  }

  #add(path: string, type: GraphQLNamedType | undefined): void {
    const name = isObjectType(type) ? type.name : undefined;
    const isSame = !this.#byPath.has(path) || this.#byPath.get(path) === name;
    this.#byPath.set(path, isSame ? name : undefined);
  }
}

function operationKey(fetch: FetchNode): string {
  return `${fetch.serviceName} ${operationTextOf(fetch)}`;
}

function isTypename(selection: SelectionNode): boolean {
  return (
    selection.kind === Kind.FIELD &&
    selection.name.value === '__typename' &&
    selection.alias === undefined &&
    selection.directives?.length === 0
  );
}
