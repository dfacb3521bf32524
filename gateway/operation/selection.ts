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

/** The runtime type of an object. For an interface without implementations (an `@interfaceObject` that no subgraph
 *  implements) it is the interface itself. */
export type RuntimeType = GraphQLObjectType | GraphQLInterfaceType;

/** A normalized selection set of the client: named fragments are inlined, conditions folded, fields of one response name
 *  merged, and type conditions that always hold removed. */
export class SelectionSet {
  readonly selections: readonly Selection[];
  readonly #byType = new Map<string, CollectedFields>();
  #dependsOnType: boolean | undefined;

  constructor(selections: readonly Selection[]) {
    this.selections = selections;
  }

  /** Whether the selected fields or their values depend on the runtime type of the object. */
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

  /** The selections that apply to an object of this runtime type (`CollectFields` of the GraphQL specification). */
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
  /** The key in the client's response. */
  readonly responseName: string;
  /** The key in the response tree and in subgraph operations: the response name, or a unique name if the response name
   *  could collide with another field. */
  readonly internalName: string;
  readonly fieldName: string;
  readonly arguments: readonly ArgumentNode[];
  readonly directives: readonly DirectiveNode[];
  /** The named type of the field on the enclosing type condition; `undefined` for a leaf type. */
  readonly compositeType: GraphQLCompositeType | undefined;
  readonly selectionSet: SelectionSet | undefined;
  /** Delivery group. Present only for an enrichment. */
  readonly enrichmentGroup?: number;
  /** The client may not read the field: it is not fetched, and null with an error. It has no selection set. */
  readonly isDenied?: boolean;
}

export interface FragmentSelection {
  readonly kind: 'Fragment';
  readonly typeCondition: GraphQLCompositeType;
  readonly selectionSet: SelectionSet;
  /** The client may not read objects of this type: they are null with an error. The selection set is empty. */
  readonly isDenied?: boolean;
}

/** One use of `@defer`. */
export interface DeferredFragment {
  readonly kind: 'Deferred';
  /** Delivery group, which is also the label for the planner. */
  readonly group: number;
  /** The client's label. */
  readonly label: string | undefined;
  readonly typeCondition: GraphQLCompositeType | undefined;
  /** All selections of the fragment. */
  readonly full: SelectionSet;
  /** The selections that enclosing selection sets do not contain already. They are planned, and delivered in the format
   *  `incrementalSpec=v0.2`. */
  readonly own: SelectionSet;
}

interface CollectedFields {
  /** In document order. */
  readonly fields: readonly CollectedField[];
  readonly deferred: readonly DeferredFragment[];
  /** The client may not read objects of this type. */
  readonly isDenied: boolean;
}

export interface CollectedField {
  readonly responseName: string;
  readonly internalName: string;
  readonly fieldName: string;
  readonly type: GraphQLOutputType;
  readonly selectionSet: SelectionSet | undefined;
  /** Delivery groups of the merged fields that are enrichments. */
  readonly enrichmentGroups: readonly number[];
  /** The client may not read the field. */
  readonly isDenied: boolean;
}

/** Whether a selection consists of denied fields and objects, for which nothing is fetched. */
export function isDeniedSelection(selection: Selection): boolean {
  if (selection.kind === 'Field') return selection.isDenied === true;
  if (selection.kind === 'Fragment' && selection.isDenied === true) return true;
  const { selections } = selection.kind === 'Fragment' ? selection.selectionSet : selection.own;
  return selections.length > 0 && selections.every(isDeniedSelection);
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
  let isDenied = false;
  gather(selections);

  const definitions = type.getFields();
  const fields: CollectedField[] = [];
  for (const selected of byName.values()) {
    // A field may be denied where it is selected on an interface, and allowed where it is selected on the object's type.
    const allowed = selected.filter((field) => field.isDenied !== true);
    const merged = allowed.length === 0 ? selected : allowed;
    const first = merged[0] as FieldSelection;
    const fieldType = fieldTypeOf(first.fieldName);
    if (fieldType === undefined) continue;
    fields.push({
      responseName: first.responseName,
      internalName: first.internalName,
      fieldName: first.fieldName,
      type: fieldType,
      selectionSet: mergeSelectionSets(merged),
      enrichmentGroups: merged.flatMap(({ enrichmentGroup }) => enrichmentGroup ?? []),
      isDenied: allowed.length === 0,
    });
  }
  return { fields, deferred, isDenied };

  function gather(list: readonly Selection[]): void {
    for (const selection of list) {
      switch (selection.kind) {
        case 'Field': {
          const merged = byName.get(selection.responseName);
          if (merged === undefined) byName.set(selection.responseName, [selection]);
          else merged.push(selection);
          break;
        }
        case 'Fragment':
          if (!typeConditionHolds(schema, selection.typeCondition, type)) break;
          if (selection.isDenied === true) isDenied = true;
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
    // Introspection fields at the root are not defined on the type, and are executed apart from the plan.
    return definitions[fieldName]?.type ?? introspectionType(schema, fieldName);
  }
}

/** The type of `__schema` and `__type`, which no type defines; `undefined` for any other field. */
export function introspectionType(schema: GraphQLSchema, fieldName: string): GraphQLOutputType | undefined {
  if (fieldName === '__schema') return schema.getType('__Schema') as GraphQLOutputType;
  if (fieldName === '__type') return schema.getType('__Type') as GraphQLOutputType;
  return undefined;
}

function mergeSelectionSets(fields: readonly FieldSelection[]): SelectionSet | undefined {
  const first = fields[0] as FieldSelection;
  if (fields.length === 1 || first.selectionSet === undefined) return first.selectionSet;
  return new SelectionSet(fields.flatMap((field) => field.selectionSet?.selections ?? []));
}
