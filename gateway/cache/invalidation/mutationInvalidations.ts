import { type FieldNode, Kind, OperationTypeNode, type SelectionSetNode, valueFromASTUntyped } from 'graphql';
import { isCacheTag } from '../../config/isCacheTag.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import type { OperationShape } from '../rules/operationShape.ts';
import { BoundedEntityTags } from '../tags/boundedEntityTags.ts';
import { SelectedObjects, visitObjects } from '../tags/selectedObjects.ts';
import { customTag, subgraphTag } from '../tags/tagNames.ts';
import { readKnownKeys } from '../tags/valueTags.ts';
import {
  collectArgumentNames,
  compileTemplate,
  compileTemplateValue,
  type FieldArguments,
  TemplateFailure,
} from './argumentTemplates.ts';
import { EntityInvalidation, tagsOfType } from './entityInvalidation.ts';
import { findEntityProblems, findSubgraphProblem, findTypeProblem, suggest } from './invalidationProblems.ts';

/** What a mutation invalidates, as the configuration says it. Texts may have places for arguments. */
export interface ConfiguredMutation {
  readonly result: boolean;
  readonly types: readonly string[];
  readonly entities: readonly Readonly<Record<string, unknown> & { __typename: string }>[];
  readonly tags: readonly string[];
  readonly subgraphs: readonly string[];
}

/** `cache.mutations` of the configuration: by `Mutation.addReview`. */
export type ConfiguredMutations = Readonly<Record<string, ConfiguredMutation>>;

interface CompiledMutations {
  readonly invalidations: MutationInvalidations;
  /** What the configuration names and this supergraph does not have; it is left out. */
  readonly unknown: readonly string[];
}

/** What the mutations of one supergraph invalidate. */
export function compileMutationInvalidations(
  configured: ConfiguredMutations,
  graph: CacheGraph,
): CompiledMutations {
  const unknown: string[] = [];
  const entities = new EntityInvalidation(graph);
  const rootName = graph.roots.get(OperationTypeNode.MUTATION);
  const root = rootName === undefined ? undefined : graph.types.get(rootName);
  const fields = new Map<string, FieldInvalidation>();
  for (const [coordinate, mutation] of Object.entries(configured)) {
    const [typeName = '', fieldName = ''] = coordinate.split('.');
    const field = root?.name === typeName ? root.fields.get(fieldName) : undefined;
    if (field === undefined) {
      const coordinates = [...(root?.fields.keys() ?? [])].map((name) => `${root?.name}.${name}`);
      unknown.push(`there is no mutation ${coordinate}${suggest(coordinate, coordinates)}`);
      continue;
    }
    const compiled = compileFieldInvalidation(mutation, field.argumentNames, graph, entities);
    fields.set(fieldName, compiled.invalidation);
    unknown.push(...compiled.mistakes.map((mistake) => `${coordinate}: ${mistake}`));
  }
  return { invalidations: new MutationInvalidations(fields, graph, entities), unknown };
}

/** Reads a variable of a shape's operation, by its name there; `undefined` for one that is not sent. */
type ReadVariable = (name: string) => unknown;

/** Takes what is left out since an argument has no value that could stand in it: the mutation and the reason, which
 *  has no value of an argument in it. */
export type OnSkipped = (coordinate: string, reason: string) => void;

export class MutationInvalidations {
  readonly #fields: ReadonlyMap<string, FieldInvalidation>;
  readonly #graph: CacheGraph;
  readonly #entities: EntityInvalidation;
  readonly #rootFieldsByShape = new WeakMap<OperationShape, readonly RootField[]>();

  constructor(
    fields: ReadonlyMap<string, FieldInvalidation>,
    graph: CacheGraph,
    entities: EntityInvalidation,
  ) {
    this.#fields = fields;
    this.#graph = graph;
    this.#entities = entities;
  }

  /** Tags of all that the fields of a mutation fetch invalidate, each once; none for other fetches. `data` is what
   *  the subgraph sent, before output rewrites. A mutation that failed may have been applied: without data, what its
   *  arguments say is invalidated all the same. */
  *tagsOf(
    shape: OperationShape,
    readVariable: ReadVariable,
    data: Readonly<Record<string, unknown>> | null | undefined,
    onSkipped: OnSkipped,
  ): SlicedTask<readonly string[]> {
    const tags = new Set<string>();
    const fields = this.#rootFieldsOf(shape);
    if (fields.length === 0) return [];
    const variables = variablesOf(shape, readVariable);
    for (const { field, responseName, invalidation, objects } of fields) {
      const isMissing = data === null || data === undefined;
      // `@skip` and `@include` leave fields out.
      if (!isMissing && !Object.hasOwn(data, responseName)) continue;
      for (const tag of invalidation.staticTags) tags.add(tag);
      const args = argumentsOf(field, variables);
      for (const item of invalidation.argumentTags) {
        const found = item(args);
        if (!(found instanceof TemplateFailure)) for (const tag of found) tags.add(tag);
        else onSkipped(`${this.#rootName}.${field.name.value}`, found.reason);
      }
      if (isMissing || !invalidation.includesResult) continue;
      for (const tag of yield* this.#tagsOfResult(data[responseName], objects)) tags.add(tag);
    }
    return [...tags];
  }

  *#tagsOfResult(value: unknown, objects: SelectedObjects): SlicedTask<readonly string[]> {
    const entities = new BoundedEntityTags(maxResultTags, tagsOfType);
    yield* visitObjects(value, objects, ({ identities }, object) => {
      for (const identity of identities) {
        const { type } = identity;
        if (entities.isCollapsed(type)) continue;
        const known = readKnownKeys(identity, object, undefined);
        if (known.size === 0) entities.collapseType(type);
        else entities.add(type, this.#entities.tagsOf(type.name, known));
      }
    });
    return entities.toList();
  }

  get #rootName(): string {
    return this.#graph.roots.get(OperationTypeNode.MUTATION) ?? 'Mutation';
  }

  /** The fields that invalidate something. */
  #rootFieldsOf(shape: OperationShape): readonly RootField[] {
    if (shape.kind !== 'mutation' || shape.isEntityFetch || this.#fields.size === 0) return [];
    let found = this.#rootFieldsByShape.get(shape);
    if (found === undefined) {
      found = this.#readRootFields(shape);
      this.#rootFieldsByShape.set(shape, found);
    }
    return found;
  }

  #readRootFields({ document, subgraph }: OperationShape): RootField[] {
    const root = new SelectedObjects([document.selectionSet], [], this.#graph, subgraph);
    const type = this.#graph.types.get(this.#rootName);
    const below = type === undefined ? [] : root.planForType(type).nestedObjects;
    const nothing = new SelectedObjects([], [], this.#graph, subgraph);
    const fields = new Map<string, RootField>();
    for (const field of fieldsIn(document.selectionSet)) {
      const responseName = field.alias?.value ?? field.name.value;
      const invalidation = this.#fields.get(field.name.value);
      if (invalidation === undefined) continue;
      const objects = below.find((one) => one.responseName === responseName)?.objects ?? nothing;
      fields.set(responseName, { field, responseName, invalidation, objects });
    }
    return [...fields.values()];
  }
}

/** Most tags of single entities that one field's answer invalidates; beyond, whole types. */
const maxResultTags = 1_000;

interface RootField {
  readonly field: FieldNode;
  readonly responseName: string;
  readonly invalidation: FieldInvalidation;
  /** Of its answer. */
  readonly objects: SelectedObjects;
}

interface FieldInvalidation {
  readonly includesResult: boolean;
  /** Whatever the arguments are. */
  readonly staticTags: readonly string[];
  /** What depends on them. */
  readonly argumentTags: readonly ((args: FieldArguments) => readonly string[] | TemplateFailure)[];
}

function compileFieldInvalidation(
  mutation: ConfiguredMutation,
  argumentNames: readonly string[],
  graph: CacheGraph,
  entities: EntityInvalidation,
): { readonly invalidation: FieldInvalidation; readonly mistakes: readonly string[] } {
  const mistakes: string[] = [];
  const tags: string[] = [];
  const items: FieldInvalidation['argumentTags'][number][] = [];
  /** Whether there is nothing wrong with it. */
  const check = (found: readonly (string | undefined)[]): boolean => {
    const wrong = found.filter((mistake) => mistake !== undefined);
    mistakes.push(...wrong);
    return wrong.length === 0;
  };
  const mistakesInArguments = (value: unknown): string[] =>
    collectArgumentNames(value)
      .filter((name) => !argumentNames.includes(name))
      .map((name) => `there is no argument ${name}${suggest(name, argumentNames)}`);

  for (const name of mutation.types) {
    const type = graph.types.get(name);
    if (check([findTypeProblem(name, graph)]) && type !== undefined) tags.push(...tagsOfType(type));
  }
  for (const name of mutation.subgraphs) {
    if (check([findSubgraphProblem(name, graph)])) tags.push(subgraphTag(name));
  }
  for (const text of mutation.tags) {
    if (!check(mistakesInArguments(text))) continue;
    const fill = compileTemplate(text);
    items.push((args) => {
      const filled = fill(args);
      if (filled instanceof TemplateFailure) return filled;
      return isCacheTag(filled)
        ? [customTag(filled)]
        : new TemplateFailure(`${text} would be blank, or hold a NUL`);
    });
  }
  for (const entity of mutation.entities) {
    const { __typename: typeName } = entity;
    const isKnown = entities.readKeys(typeName, entity).size > 0;
    if (!check([...findEntityProblems(typeName, entity, isKnown, graph), ...mistakesInArguments(entity)]))
      continue;
    const fill = compileTemplateValue(entity);
    items.push((args) => {
      const filled = fill(args);
      if (filled instanceof TemplateFailure) return filled;
      return entities.tagsOf(
        typeName,
        entities.readKeys(typeName, filled as Readonly<Record<string, unknown>>),
      );
    });
  }
  return {
    invalidation: { includesResult: mutation.result, staticTags: tags, argumentTags: items },
    mistakes,
  };
}

type Variables = Readonly<Record<string, unknown>>;

function variablesOf({ document }: OperationShape, readVariable: ReadVariable): Variables {
  // `toString` is a name like any other.
  const variables: Record<string, unknown> = Object.create(null);
  for (const { variable } of document.variableDefinitions ?? []) {
    const name = variable.name.value;
    variables[name] = readVariable(name);
  }
  return variables;
}

function argumentsOf({ arguments: given = [] }: FieldNode, variables: Variables): FieldArguments {
  return Object.fromEntries(
    given.map(({ name, value }) => [name.value, valueFromASTUntyped(value, variables)]),
  );
}

function fieldsIn({ selections }: SelectionSetNode): FieldNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection;
    return selection.kind === Kind.INLINE_FRAGMENT ? fieldsIn(selection.selectionSet) : [];
  });
}
