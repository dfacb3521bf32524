import {
  BREAK,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  isScalarType,
  isSpecifiedScalarType,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionSetNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { copyJson } from '../json/copyJson.ts';
import { isObject } from '../json/isObject.ts';
import { fragmentsOf } from '../operation/fragmentsOf.ts';
import { gatherSelectionSets, responseNameOf } from '../planning/fieldTree.ts';
import type { FetchDataRewrite, FetchNode } from '../planning/queryPlan.ts';
import { withUsedVariables } from '../planning/usedVariableDefinitions.ts';
import type { RequestCoordinates } from '../subgraphs/subgraphClient.ts';
import { createObjectMerger, type ObjectMerger, type ResponseObject, setKey } from './responseTree.ts';

/** A fetch without its values: fetch nodes of the same shape fetch the same fields. Shapes are interned, so that equal
 *  shapes are identical. */
export class FetchShape {
  readonly id: number;
  readonly subgraph: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly isEntityFetch: boolean;
  readonly operationText: string;
  /** Names of the client's variables that the fetch uses. */
  readonly variables: readonly string[];
  readonly outputRewrites: readonly FetchDataRewrite[];
  /** Response names of the result's objects, after the output rewrites. */
  readonly keys: readonly string[];
  /** Merges an object of the result into the object that it was fetched for. */
  readonly merge: ObjectMerger;
  /** Those of `keys` that hold objects. */
  readonly compositeKeys: readonly string[];
  /** No field of the result's objects holds another object, so that later fetches merge nothing into the result. */
  readonly isLeafOnly: boolean;
  /** `{"query":"…","variables":{`: the beginning of every request of this shape. */
  readonly bodyPrefix: string;
  readonly document: OperationDefinitionNode;
  readonly selection: SelectionSetNode;
  /** See `SubgraphRequest`. */
  readonly keepsDecimals: boolean;
  #keysAtAnyDepth: ReadonlySet<string> | undefined;
  #coordinates: RequestCoordinates | undefined;

  /** `schema`: the API schema; `undefined` if any field may be a custom scalar. */
  constructor(id: number, node: FetchNode, schema?: GraphQLSchema) {
    this.id = id;
    this.subgraph = node.serviceName;
    this.kind = node.operationKind;
    this.isEntityFetch = isEntityFetch(node);
    this.operationText = operationTextOf(node);
    this.variables = node.variableUsages;
    this.outputRewrites = node.outputRewrites ?? [];
    this.bodyPrefix = bodyPrefixOf(this.operationText);
    const document = parse(this.operationText, { noLocation: true });
    this.document = inlineFragments(
      getOperationAST(document) as OperationDefinitionNode,
      fragmentsOf(document),
    );
    this.selection = selectionOf(node, this.document);
    this.keepsDecimals = schema === undefined || selectsCustomScalars(this.document, schema);
    const keys = responseKeys(this.selection);
    this.compositeKeys = [...keys].flatMap(([key, inner]) => (inner.length === 0 ? [] : [key]));
    this.isLeafOnly = this.compositeKeys.length === 0;
    this.keys = [
      ...new Set([
        ...keys.keys(),
        ...this.outputRewrites.flatMap((rewrite) =>
          rewrite.kind === 'KeyRenamer' ? [rewrite.renameKeyTo] : [],
        ),
      ]),
    ];
    this.merge = createObjectMerger(this.keys);
  }

  /** The root fields, or the entity types, by response name: what a circuit breaker of one coordinate counts. */
  get coordinates(): RequestCoordinates {
    this.#coordinates ??= coordinatesOf(this.document, this.isEntityFetch);
    return this.#coordinates;
  }

  /** Response names at every depth, after the output rewrites. */
  get keysAtAnyDepth(): ReadonlySet<string> {
    if (this.#keysAtAnyDepth === undefined) {
      const keys = new Set(this.keys);
      const gather = (set: SelectionSetNode): void => {
        for (const [key, inner] of responseKeys(set)) {
          keys.add(key);
          inner.forEach(gather);
        }
      };
      gather(this.selection);
      this.#keysAtAnyDepth = keys;
    }
    return this.#keysAtAnyDepth;
  }

  /** Copies an object of the result as the subgraph sent it, without fields that later fetches have merged into it. */
  copyEntity(entity: ResponseObject): ResponseObject {
    return copySelected(entity, [this.selection], this.keys) as ResponseObject;
  }
}

/** Interns fetch shapes for one supergraph, for as long as a program uses them. */
export class FetchShapeRegistry {
  readonly #schema: GraphQLSchema | undefined;
  readonly #shapes = new Map<string, WeakRef<FetchShape>>();
  readonly #finalizers = new FinalizationRegistry<string>((key) => {
    if (this.#shapes.get(key)?.deref() === undefined) this.#shapes.delete(key);
  });

  /** `schema`: see `FetchShape`. */
  constructor(schema?: GraphQLSchema) {
    this.#schema = schema;
  }

  intern(node: FetchNode): FetchShape {
    const key = JSON.stringify([node.serviceName, operationTextOf(node), node.outputRewrites ?? []]);
    const known = this.#shapes.get(key)?.deref();
    if (known !== undefined) return known;
    const shape = new FetchShape(nextId++, node, this.#schema);
    this.#shapes.set(key, new WeakRef(shape));
    this.#finalizers.register(shape, key);
    return shape;
  }
}

/** Ids are unique across supergraphs: while one supergraph replaces another, operations on both are running, and their
 *  batches are distinguished by these ids. */
let nextId = 0;

/** Several entity fetches of one subgraph as one operation: each `_entities` with its own alias, each variable with the
 *  index of its fetch. */
export class FusedShape {
  readonly shapes: readonly FetchShape[];
  readonly subgraph: string;
  readonly bodyPrefix: string;
  /** See `FetchShape.coordinates`. */
  readonly coordinates: RequestCoordinates;
  readonly keepsDecimals: boolean;
  /** Response names of the fetches' `_entities`. Kept, because V8 looks up a new text in an object more slowly. */
  readonly aliases: readonly string[];
  /** Names of the variables for the fetches' representations. */
  readonly representationsNames: readonly string[];
  /** How many of the next requests are sent as one for each fetch, because one of the fetches failed them all. */
  separateRequests = 0;

  constructor(shapes: readonly FetchShape[]) {
    this.shapes = shapes;
    const first = shapes[0] as FetchShape;
    this.subgraph = first.subgraph;
    this.keepsDecimals = shapes.some((shape) => shape.keepsDecimals);
    this.bodyPrefix = shapes.length === 1 ? first.bodyPrefix : bodyPrefixOf(fusedText(shapes));
    this.aliases = shapes.map((_, n) => (shapes.length === 1 ? '_entities' : `_e${n}`));
    this.representationsNames = shapes.map((_, n) => this.variableNameOf(n, 'representations'));
    this.coordinates = new Map(
      shapes.map(({ coordinates }, n) => [this.aliases[n] as string, [...coordinates.values()].flat()]),
    );
  }

  /** A single fetch, unchanged. */
  static ofSingle(shape: FetchShape): FusedShape {
    let fused = fusedSingles.get(shape);
    if (fused === undefined) {
      fused = new FusedShape([shape]);
      fusedSingles.set(shape, fused);
    }
    return fused;
  }

  variableNameOf(n: number, name: string): string {
    return this.shapes.length === 1 ? name : `${name}_${n}`;
  }
}

const fusedSingles = new WeakMap<FetchShape, FusedShape>();

function coordinatesOf(document: OperationDefinitionNode, isEntityFetch: boolean): RequestCoordinates {
  const coordinates = new Map<string, readonly string[]>();
  for (const field of document.selectionSet.selections) {
    if (field.kind !== Kind.FIELD) continue;
    const types = (field.selectionSet?.selections ?? []).flatMap((selection) =>
      selection.kind === Kind.INLINE_FRAGMENT ? (selection.typeCondition?.name.value ?? []) : [],
    );
    coordinates.set(
      responseNameOf(field),
      isEntityFetch ? types : [`${rootTypeNames[document.operation]}.${field.name.value}`],
    );
  }
  return coordinates;
}

const rootTypeNames = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' } as const;

export function isEntityFetch({ requires }: FetchNode): boolean {
  return requires !== undefined && requires.length > 0;
}

/** What a fetch selects of the objects at its path. */
export function selectionOf(fetch: FetchNode, { selectionSet }: OperationDefinitionNode): SelectionSetNode {
  const [first] = selectionSet.selections;
  return isEntityFetch(fetch) && first?.kind === Kind.FIELD && first.selectionSet !== undefined
    ? first.selectionSet
    : selectionSet;
}

/** Removes the number that the planner adds to the operation name, because equal fetches would have different texts.
 *  The rest of the name still tells a subgraph which operation the request belongs to. */
export function operationTextOf({ operation, operationName }: FetchNode): string {
  if (operationName === undefined) return operation;
  return operation.replace(operationName, operationName.replace(/__\d+$/, ''));
}

function fusedText(shapes: readonly FetchShape[]): string {
  const definitions: string[] = [];
  const directives: string[] = [];
  const selections: string[] = [];
  shapes.forEach((shape, n) => {
    // All fetches are of one operation: its directives are printed once, and the others do not use their variables.
    const own = n === 0 ? shape.document : withUsedVariables({ ...shape.document, directives: [] });
    const renamed = visit(own, {
      [Kind.VARIABLE]: (variable) => ({
        ...variable,
        name: { ...variable.name, value: `${variable.name.value}_${n}` },
      }),
    });
    definitions.push(...(renamed.variableDefinitions ?? []).map((definition) => print(definition)));
    directives.push(...(renamed.directives ?? []).map((directive) => `${print(directive)} `));
    for (const selection of renamed.selectionSet.selections) {
      selections.push(
        print(
          selection.kind === Kind.FIELD
            ? { ...selection, alias: { kind: Kind.NAME, value: `_e${n}` } }
            : selection,
        ),
      );
    }
  });
  const name = shapes[0]?.document.name?.value ?? '';
  return `query ${name}(${definitions.join(', ')}) ${directives.join('')}{ ${selections.join(' ')} }`;
}

function bodyPrefixOf(text: string): string {
  return `{"query":${JSON.stringify(text)},"variables":{`;
}

/** Whether the operation of a fetch selects a custom scalar, or a field that the API schema hides. */
function selectsCustomScalars(operation: OperationDefinitionNode, schema: GraphQLSchema): boolean {
  const types = new TypeInfo(schema);
  let isFound = false;
  const findInField = {
    [Kind.FIELD]: ({ selectionSet }: FieldNode) => {
      if (selectionSet !== undefined) return undefined;
      const type = getNamedType(types.getType());
      isFound = type === undefined || (isScalarType(type) && !isSpecifiedScalarType(type));
      return isFound ? BREAK : undefined;
    },
  };
  visit(operation, visitWithTypeInfo(types, findInField));
  return isFound;
}

function inlineFragments(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): OperationDefinitionNode {
  if (fragments.size === 0) return operation;
  return visit(operation, {
    [Kind.FRAGMENT_SPREAD]: (spread) => {
      const fragment = fragments.get(spread.name.value);
      if (fragment === undefined) return undefined;
      return {
        kind: Kind.INLINE_FRAGMENT,
        typeCondition: fragment.typeCondition,
        directives: spread.directives,
        selectionSet: fragment.selectionSet,
      };
    },
  }) as OperationDefinitionNode;
}

/** Returns the response names of a selection set with the selection sets below each, ignoring type conditions. */
function responseKeys(set: SelectionSetNode): Map<string, SelectionSetNode[]> {
  const keys = new Map<string, SelectionSetNode[]>();
  gatherSelectionSets(set, keys);
  return keys;
}

function copySelected(
  value: unknown,
  sets: readonly SelectionSetNode[],
  extraKeys: readonly string[],
): unknown {
  if (Array.isArray(value)) return value.map((element) => copySelected(element, sets, extraKeys));
  if (!isObject(value)) return value;
  const copy: ResponseObject = {};
  for (const set of sets) {
    for (const [key, inner] of responseKeys(set)) {
      if (Object.hasOwn(value, key)) {
        const field = value[key];
        setKey(copy, key, inner.length === 0 ? field : copySelected(field, inner, []));
      }
    }
  }
  for (const key of extraKeys) {
    if (!Object.hasOwn(copy, key) && Object.hasOwn(value, key)) setKey(copy, key, copyJson(value[key]));
  }
  return copy;
}
