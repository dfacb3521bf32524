import { type DocumentNode, type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import { type FieldTree, fieldTreeOf } from './fieldTree.ts';
import type { RequiresSelection } from './queryPlan.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  implementsInterface,
  namedTypeOf,
  parseFieldSet,
  subgraphNamesOf,
} from './supergraphDocument.ts';

/** The fields that an entity fetch selects of its entities, each with the type that it is selected on. */
export type EntityFields = ReadonlyMap<FieldNode, string | undefined>;

/** What the subgraphs of a supergraph need in representations: the keys of types, and the inputs of fields with a
 *  `@requires`. Also what they provide, and do not resolve, of their fields. */
export class EntityInputs {
  readonly types: ReadonlyMap<string, CompositeDefinition>;
  /** Field sets by `subgraph Type`. Parsed at each use: few plans need them. */
  readonly #keys = new Map<string, string[]>();
  /** By `subgraph Type.field`. */
  readonly #required = new Map<string, SelectionSetNode>();
  readonly #provided = new Map<string, SelectionSetNode>();
  readonly #external = new Set<string>();

  /** `supergraph`: the document that the plans are created for. */
  constructor(supergraph: DocumentNode) {
    this.types = compositesOf(supergraph);
    const names = subgraphNamesOf(supergraph);
    for (const [typeName, { directives = [], fields = [] }] of this.types) {
      for (const directive of directives) {
        const key = directive.name.value === 'join__type' ? argumentOf(directive, 'key') : undefined;
        if (key === undefined) continue;
        const subgraph = names.get(argumentOf(directive, 'graph') ?? '');
        getOrInsertComputed(this.#keys, `${subgraph} ${typeName}`, () => []).push(key);
      }
      for (const field of fields) {
        for (const directive of field.directives ?? []) {
          // Most fields only name their subgraph.
          if (directive.name.value !== 'join__field' || directive.arguments?.length === 1) continue;
          const subgraph = names.get(argumentOf(directive, 'graph') ?? '');
          const coordinate = `${subgraph} ${typeName}.${field.name.value}`;
          const required = parseFieldSet(argumentOf(directive, 'requires'));
          if (required !== undefined) this.#required.set(coordinate, required);
          const provided = parseFieldSet(argumentOf(directive, 'provides'));
          if (provided !== undefined) this.#provided.set(coordinate, provided);
          if (argumentOf(directive, 'external') === 'true') this.#external.add(coordinate);
        }
      }
    }
  }

  /** Whether no field of the supergraph has a `@requires`. */
  get isEmpty(): boolean {
    return this.#required.size === 0;
  }

  /** The inputs of a field, as `subgraph Type.field`. */
  requiredBy(coordinate: string): SelectionSetNode | undefined {
    return this.#required.get(coordinate);
  }

  /** The selection of the `@provides` of a field, as `subgraph Type.field`. */
  providedBy(coordinate: string): SelectionSetNode | undefined {
    return this.#provided.get(coordinate);
  }

  /** Whether the subgraph does not resolve the field. Federation 1 subgraphs may mark their own key fields as external. */
  isExternal(subgraph: string, typeName: string, fieldName: string): boolean {
    return (
      this.#external.has(`${subgraph} ${typeName}.${fieldName}`) &&
      !fieldTreeOf(this.keysOf(subgraph, typeName)).has(fieldName)
    );
  }

  /** The keys of a type in a subgraph, without those of its interfaces. */
  keysOf(subgraph: string, typeName: string): SelectionSetNode[] {
    return (this.#keys.get(`${subgraph} ${typeName}`) ?? []).flatMap((key) => parseFieldSet(key) ?? []);
  }

  /** The inputs of a field of an entity, and those of the fields below it. For a field of an interface, the inputs of all
   *  its implementations. */
  inputsOf(subgraph: string, typeName: string | undefined, field: FieldNode): SelectionSetNode[] {
    const { name, selectionSet } = field;
    const type = this.types.get(typeName ?? '');
    if (typeName === undefined || type === undefined) return [];
    const own = [typeName, ...this.#implementationsOf(type)].flatMap(
      (holder) => this.#required.get(`${subgraph} ${holder}.${name.value}`) ?? [],
    );
    const definition = type.fields?.find((other) => other.name.value === name.value);
    if (selectionSet === undefined || definition === undefined) return own;
    const below = this.#inputsBelow(subgraph, namedTypeOf(definition), selectionSet).map(
      (inputs): SelectionSetNode => ({
        kind: Kind.SELECTION_SET,
        selections: [{ kind: Kind.FIELD, name, selectionSet: inputs }],
      }),
    );
    return [...own, ...below];
  }

  #implementationsOf({ kind, name }: CompositeDefinition): readonly string[] {
    if (kind === Kind.OBJECT_TYPE_DEFINITION) return [];
    return [...this.types].flatMap(([other, type]) => (implementsInterface(type, name.value) ? other : []));
  }

  #inputsBelow(subgraph: string, typeName: string, { selections }: SelectionSetNode): SelectionSetNode[] {
    return selections.flatMap((selection) => {
      if (selection.kind === Kind.FIELD) return this.inputsOf(subgraph, typeName, selection);
      if (selection.kind !== Kind.INLINE_FRAGMENT) return [];
      const condition = selection.typeCondition?.name.value ?? typeName;
      return this.#inputsBelow(subgraph, condition, selection.selectionSet);
    });
  }

  /** The inputs of some fields of an entity fetch: its `requires` without those that only its other fields need. An object
   *  that lacks one of these gets the selected fields nevertheless. */
  limitTo(
    selected: ReadonlySet<FieldNode>,
    all: EntityFields,
    subgraph: string,
    requires: readonly RequiresSelection[],
  ): RequiresSelection[] {
    const inputsOf = (fields: Iterable<readonly [FieldNode, string | undefined]>): SelectionSetNode[] =>
      Array.from(fields, ([field, type]) => this.inputsOf(subgraph, type, field)).flat();
    const removed = fieldTreeOf(inputsOf(all));
    return requires.flatMap((selection): RequiresSelection[] => {
      const typeName = selection.kind === 'InlineFragment' ? selection.typeCondition : undefined;
      const own = [...all].filter(
        ([field, other]) =>
          selected.has(field) &&
          (typeName === undefined || other === undefined || this.canOverlap(typeName, other)),
      );
      if (own.length === 0) return [];
      const names = typeName === undefined ? own.flatMap(([, type]) => type ?? []) : [typeName];
      const retained = fieldTreeOf([...inputsOf(own), ...this.#keysOfObjects(subgraph, names)]);
      return withoutFields([selection], removed, retained);
    });
  }

  /** The keys of types and of their interfaces. */
  #keysOfObjects(subgraph: string, typeNames: readonly string[]): SelectionSetNode[] {
    const interfaces = typeNames.flatMap((name) => this.types.get(name)?.interfaces ?? []);
    const names = new Set([...typeNames, ...interfaces.map(({ name }) => name.value)]);
    return [...names].flatMap((name) => this.keysOf(subgraph, name));
  }

  /** Whether one object can have both types. */
  canOverlap(left: string, right: string): boolean {
    return left === right || !this.#isObject(left) || !this.#isObject(right);
  }

  #isObject(name: string): boolean {
    return this.types.get(name)?.kind === Kind.OBJECT_TYPE_DEFINITION;
  }
}

/** The selections without the fields that are in `removed` and not in `retained`. */
function withoutFields(
  selections: readonly RequiresSelection[],
  removed: FieldTree,
  retained: FieldTree,
): RequiresSelection[] {
  return selections.flatMap((selection): RequiresSelection[] => {
    if (selection.kind === 'InlineFragment') {
      const inner = withoutFields(selection.selections, removed, retained);
      return inner.length === 0 ? [] : [{ ...selection, selections: inner }];
    }
    const below = removed.get(selection.name);
    if (below === undefined) return [selection];
    const retainedBelow = retained.get(selection.name);
    if (retainedBelow === undefined) return selection.name === '__typename' ? [selection] : [];
    if (selection.selections === undefined) return [selection];
    return [{ ...selection, selections: withoutFields(selection.selections, below(), retainedBelow()) }];
  });
}
