import {
  type FieldNode,
  type IntValueNode,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
  type StringValueNode,
  type ValueNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import { formatConfigPath } from '../../config/configError.ts';
import { suggestName } from '../../config/findNearestName.ts';
import { isCacheTag } from '../../config/isCacheTag.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import type { OperationShape } from '../rules/visitSelections.ts';
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
import { findEntityProblems, findSubgraphProblem, findTypeProblem } from './invalidationProblems.ts';

/** What a mutation invalidates, from the configuration. Strings may contain argument templates. */
export interface ConfiguredMutation {
  readonly result: boolean;
  readonly types: readonly string[];
  readonly entities: readonly Readonly<Record<string, unknown> & { __typename: string }>[];
  readonly tags: readonly string[];
  readonly subgraphs: readonly string[];
}

/** `cache.mutations` of the configuration, by coordinates such as `Mutation.addReview`. */
export type ConfiguredMutations = Readonly<Record<string, ConfiguredMutation>>;

interface CompiledMutations {
  readonly invalidations: MutationInvalidations;
  /** Names in the configuration that the supergraph lacks, each after its configuration path. They are ignored. */
  readonly unknown: readonly string[];
}

/** Compiles what the mutations of one supergraph invalidate. */
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
    const path = formatConfigPath(['cache', 'mutations', coordinate]);
    const [typeName = '', fieldName = ''] = coordinate.split('.');
    const field = root?.name === typeName ? root.fields.get(fieldName) : undefined;
    if (field === undefined) {
      const coordinates = [...(root?.fields.keys() ?? [])].map((name) => `${root?.name}.${name}`);
      unknown.push(`${path}: there is no mutation ${coordinate}${suggestName(coordinate, coordinates)}`);
      continue;
    }
    const compiled = compileFieldInvalidation(mutation, field.argumentNames, graph, entities);
    fields.set(fieldName, compiled.invalidation);
    unknown.push(...compiled.problems.map((problem) => `${path}: ${problem}`));
  }
  return { invalidations: new MutationInvalidations(fields, graph, entities), unknown };
}

/** Reads a variable by its name in the shape's operation; `undefined` if it is not sent. */
type ReadVariable = (name: string) => unknown;

/** Called for a configured item that is skipped because its template cannot be rendered. `reason` contains no argument
 *  values. */
export type OnSkipped = (coordinate: string, reason: string) => void;

/** Computes the tags that mutations invalidate. */
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

  /** The tags that the fields of a mutation fetch invalidate, without duplicates; none for other fetches. `data`: the
   *  subgraph's data before output rewrites. Without data, the tags from arguments still apply, because a failed mutation
   *  may have taken effect. */
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
      // The field was excluded by `@skip` or `@include`.
      if (!isMissing && !Object.hasOwn(data, responseName)) continue;
      for (const tag of invalidation.staticTags) tags.add(tag);
      const args = argumentsOf(field, variables);
      for (const renderTags of invalidation.argumentTags) {
        const rendered = renderTags(args);
        if (!(rendered instanceof TemplateFailure)) for (const tag of rendered) tags.add(tag);
        else onSkipped(`${this.#rootName}.${field.name.value}`, rendered.reason);
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

  /** The root fields of a fetch that have a configured invalidation. */
  #rootFieldsOf(shape: OperationShape): readonly RootField[] {
    if (shape.kind !== 'mutation' || shape.isEntityFetch || this.#fields.size === 0) return [];
    return getOrInsertComputed(this.#rootFieldsByShape, shape, () => this.#readRootFields(shape));
  }

  #readRootFields({ document, subgraph }: OperationShape): RootField[] {
    const root = new SelectedObjects([document.selectionSet], [], this.#graph, subgraph);
    const type = this.#graph.types.get(this.#rootName);
    const nestedObjects = type === undefined ? [] : root.planForType(type).nestedObjects;
    const noObjects = new SelectedObjects([], [], this.#graph, subgraph);
    const fields = new Map<string, RootField>();
    for (const field of fieldsIn(document.selectionSet)) {
      const responseName = field.alias?.value ?? field.name.value;
      const invalidation = this.#fields.get(field.name.value);
      if (invalidation === undefined) continue;
      const nested = nestedObjects.find((candidate) => candidate.responseName === responseName);
      const objects = nested?.objects ?? noObjects;
      fields.set(responseName, { field, responseName, invalidation, objects });
    }
    return [...fields.values()];
  }
}

/** The maximum number of entity tags from the result of one field. Beyond it, whole types are invalidated. */
const maxResultTags = 1_000;

interface RootField {
  readonly field: FieldNode;
  readonly responseName: string;
  readonly invalidation: FieldInvalidation;
  /** The objects in the field's result. */
  readonly objects: SelectedObjects;
}

interface FieldInvalidation {
  readonly includesResult: boolean;
  /** Tags that do not depend on arguments. */
  readonly staticTags: readonly string[];
  /** Renders the tags that depend on arguments. */
  readonly argumentTags: readonly ((args: FieldArguments) => readonly string[] | TemplateFailure)[];
}

function compileFieldInvalidation(
  mutation: ConfiguredMutation,
  argumentNames: readonly string[],
  graph: CacheGraph,
  entities: EntityInvalidation,
): { readonly invalidation: FieldInvalidation; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const tags: string[] = [];
  const argumentTags: FieldInvalidation['argumentTags'][number][] = [];
  /** Collects problems. Returns whether there are none. */
  const check = (candidates: readonly (string | undefined)[]): boolean => {
    const found = candidates.filter((problem) => problem !== undefined);
    problems.push(...found);
    return found.length === 0;
  };
  const findArgumentProblems = (value: unknown): string[] =>
    collectArgumentNames(value)
      .filter((name) => !argumentNames.includes(name))
      .map((name) => `there is no argument ${name}${suggestName(name, argumentNames)}`);

  for (const name of mutation.types) {
    const type = graph.types.get(name);
    if (check([findTypeProblem(name, graph)]) && type !== undefined) tags.push(...tagsOfType(type));
  }
  for (const name of mutation.subgraphs) {
    if (check([findSubgraphProblem(name, graph)])) tags.push(subgraphTag(name));
  }
  for (const text of mutation.tags) {
    if (!check(findArgumentProblems(text))) continue;
    const render = compileTemplate(text);
    argumentTags.push((args) => {
      const rendered = render(args);
      if (rendered instanceof TemplateFailure) return rendered;
      return isCacheTag(rendered)
        ? [customTag(rendered)]
        : new TemplateFailure(`${text} renders to a blank string, or to one with a NUL`);
    });
  }
  for (const entity of mutation.entities) {
    const { __typename: typeName } = entity;
    const isKnown = entities.readKeys(typeName, entity).size > 0;
    if (!check([...findEntityProblems(typeName, entity, isKnown, graph), ...findArgumentProblems(entity)]))
      continue;
    const render = compileTemplateValue(entity);
    argumentTags.push((args) => {
      const rendered = render(args);
      if (rendered instanceof TemplateFailure) return rendered;
      return entities.tagsOf(
        typeName,
        entities.readKeys(typeName, rendered as Readonly<Record<string, unknown>>),
      );
    });
  }
  return {
    invalidation: { includesResult: mutation.result, staticTags: tags, argumentTags },
    problems,
  };
}

type Variables = Readonly<Record<string, unknown>>;

function variablesOf({ document }: OperationShape, readVariable: ReadVariable): Variables {
  // No prototype: a variable can be named `toString`.
  const variables: Record<string, unknown> = Object.create(null);
  for (const { variable, defaultValue } of document.variableDefinitions ?? []) {
    const name = variable.name.value;
    const value = readVariable(name);
    // The subgraph applies the default.
    variables[name] = value === undefined && defaultValue !== undefined ? readLiteral(defaultValue) : value;
  }
  return variables;
}

function argumentsOf({ arguments: given = [] }: FieldNode, variables: Variables): FieldArguments {
  return Object.fromEntries(given.map(({ name, value }) => [name.value, readLiteral(value, variables)]));
}

function readLiteral(node: ValueNode, variables?: Variables): unknown {
  return valueFromASTUntyped(withExactIntegers(node), variables);
}

/** Integers that a JavaScript number cannot represent, such as long IDs, become strings. */
function withExactIntegers(value: ValueNode): ValueNode {
  return visit(value, {
    [Kind.INT]: ({ value: text }: IntValueNode): StringValueNode | undefined =>
      Number.isSafeInteger(Number(text)) ? undefined : { kind: Kind.STRING, value: text },
  });
}

function fieldsIn({ selections }: SelectionSetNode): FieldNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection;
    return selection.kind === Kind.INLINE_FRAGMENT ? fieldsIn(selection.selectionSet) : [];
  });
}
