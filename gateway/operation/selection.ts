import {
  type ArgumentNode,
  type DirectiveNode,
  type GraphQLCompositeType,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  TypeNameMetaFieldDef,
} from 'graphql';

/** What objects are shaped by: their runtime type. For an interface without any (a subgraph has it as an
 *  `@interfaceObject`, and no other one implements it) that is the interface itself. */
export type RuntimeType = GraphQLObjectType | GraphQLInterfaceType;

/** The client's selection set after preparation: named fragments inlined, conditions folded, fields of one
 *  response name merged, type conditions kept only where they decide something. */
export class SelectionSet {
  readonly selections: readonly Selection[];
  readonly #byType = new Map<string, CollectedFields>();
  #dependsOnType: boolean | undefined;

  constructor(selections: readonly Selection[]) {
    this.selections = selections;
  }

  /** Whether objects of different types have different fields of it. */
  get dependsOnType(): boolean {
    this.#dependsOnType ??= this.selections.some(
      (selection) =>
        selection.kind === 'Fragment' ||
        (selection.kind === 'Field' && selection.fieldName === '__typename') ||
        (selection.kind === 'Deferred' &&
          (selection.typeCondition !== undefined || selection.full.dependsOnType)),
    );
    return this.#dependsOnType;
  }

  /** What applies to an object of this runtime type (`CollectFields` of the specification). */
  collect(schema: GraphQLSchema, type: RuntimeType): CollectedFields {
    let collected = this.#byType.get(type.name);
    if (collected === undefined) {
      collected = collectFields(schema, type, this.selections);
      this.#byType.set(type.name, collected);
    }
    return collected;
  }
}

export type Selection = FieldSelection | FragmentSelection | DeferredFragment;

export interface FieldSelection {
  readonly kind: 'Field';
  /** The key in the client's answer. */
  readonly responseName: string;
  /** The key in the response tree and in subgraph operations: the response name, unless that could meet another field. */
  readonly internalName: string;
  readonly fieldName: string;
  readonly arguments: readonly ArgumentNode[];
  readonly directives: readonly DirectiveNode[];
  /** The field's named type where it is composite, as the surrounding type condition declares it. */
  readonly compositeType: GraphQLCompositeType | undefined;
  readonly selectionSet: SelectionSet | undefined;
  /** In a deferred fragment's own selection: the object is sent with what surrounds the fragment. */
  readonly isAlreadySent?: boolean;
  /** Delivery group of the enrichment that the field is; absent for other fields. */
  readonly enrichmentGroup?: number;
}

interface FragmentSelection {
  readonly kind: 'Fragment';
  readonly typeCondition: GraphQLCompositeType;
  readonly selectionSet: SelectionSet;
}

/** One use of `@defer`. */
export interface DeferredFragment {
  readonly kind: 'Deferred';
  /** Its delivery group, which the planner gets as its label. */
  readonly group: number;
  /** The client's label, returned as it is. */
  readonly label: string | undefined;
  readonly typeCondition: GraphQLCompositeType | undefined;
  /** All that the client selected in the fragment. */
  readonly full: SelectionSet;
  /** The same without what the enclosing selections already select: what there is to plan, and what
   *  the newer delivery format sends. */
  readonly own: SelectionSet;
}

interface CollectedFields {
  /** In the order of the client's document. */
  readonly fields: readonly CollectedField[];
  readonly deferred: readonly DeferredFragment[];
}

export interface CollectedField {
  readonly responseName: string;
  readonly internalName: string;
  readonly fieldName: string;
  readonly type: GraphQLOutputType;
  readonly selectionSet: SelectionSet | undefined;
  /** The object was sent with an earlier payload. */
  readonly isAlreadySent: boolean;
  /** Delivery groups of the enrichments that the field is part of. */
  readonly enrichmentGroups: readonly number[];
}

/** Whether a fragment with this type condition applies to objects of this type. */
function typeConditionHolds(
  schema: GraphQLSchema,
  condition: GraphQLCompositeType,
  type: RuntimeType,
): boolean {
  return condition === type || (isAbstractType(condition) && schema.isSubType(condition, type));
}

function collectFields(
  schema: GraphQLSchema,
  type: RuntimeType,
  selections: readonly Selection[],
): CollectedFields {
  const byName = new Map<string, FieldSelection[]>();
  const deferred: DeferredFragment[] = [];
  gather(selections);

  const definitions = type.getFields();
  const fields: CollectedField[] = [];
  for (const same of byName.values()) {
    const first = same[0] as FieldSelection;
    const fieldType = fieldTypeOf(first.fieldName);
    if (fieldType === undefined) continue;
    fields.push({
      responseName: first.responseName,
      internalName: first.internalName,
      fieldName: first.fieldName,
      type: fieldType,
      selectionSet: mergeSelectionSets(same),
      isAlreadySent: same.every((field) => field.isAlreadySent === true),
      enrichmentGroups: same.flatMap(({ enrichmentGroup }) => enrichmentGroup ?? []),
    });
  }
  return { fields, deferred };

  function gather(list: readonly Selection[]): void {
    for (const selection of list) {
      switch (selection.kind) {
        case 'Field': {
          const same = byName.get(selection.responseName);
          if (same === undefined) byName.set(selection.responseName, [selection]);
          else same.push(selection);
          break;
        }
        case 'Fragment':
          if (typeConditionHolds(schema, selection.typeCondition, type))
            gather(selection.selectionSet.selections);
          break;
        case 'Deferred':
          if (
            selection.typeCondition === undefined ||
            typeConditionHolds(schema, selection.typeCondition, type)
          ) {
            deferred.push(selection);
          }
          break;
      }
    }
  }

  function fieldTypeOf(fieldName: string): GraphQLOutputType | undefined {
    if (fieldName === '__typename') return TypeNameMetaFieldDef.type;
    // Introspection fields of the root have no definition on the type: they are answered beside the plan.
    return definitions[fieldName]?.type ?? introspectionType(schema, fieldName);
  }
}

function introspectionType(schema: GraphQLSchema, fieldName: string): GraphQLOutputType | undefined {
  if (fieldName === '__schema') return schema.getType('__Schema') as GraphQLOutputType;
  if (fieldName === '__type') return schema.getType('__Type') as GraphQLOutputType;
  return undefined;
}

function mergeSelectionSets(fields: readonly FieldSelection[]): SelectionSet | undefined {
  const first = fields[0] as FieldSelection;
  if (fields.length === 1 || first.selectionSet === undefined) return first.selectionSet;
  return new SelectionSet(fields.flatMap((field) => field.selectionSet?.selections ?? []));
}
