import {
  type DirectiveNode,
  type DocumentNode,
  doTypesOverlap,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  type InlineFragmentNode,
  isAbstractType,
  isCompositeType,
  isObjectType,
  isTypeSubTypeOf,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Access } from './authorization/access.ts';
import { activeDeferOf, type BooleanVariables, isIncluded } from './conditionalDirectives.ts';
import type { EnrichmentRule } from './enrichmentRule.ts';
import { findConflictingEnrichments } from './findConflictingEnrichments.ts';
import { fragmentsOf } from './fragmentsOf.ts';
import type { InternalNames } from './internalNames.ts';
import { canBeNull, hasNullablePosition } from './nullablePositions.ts';
import { limitExceededError } from './operationLimits.ts';
import { possibleTypesOf } from './possibleTypesOf.ts';
import { removeRedundantSelections } from './removeRedundantSelections.ts';
import {
  type DeferredFragment,
  type FieldSelection,
  introspectionType,
  type Selection,
  SelectionSet,
} from './selection.ts';

interface NormalizeOperationOptions {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly booleanVariables: BooleanVariables;
  readonly internalNames: InternalNames;
  /** Maximum number of selections with expanded fragments. */
  readonly maxSelections: number;
  /** With false, `@defer` is ignored. */
  readonly isDeferEnabled: boolean;
  /** Finds the fields that are enrichments. */
  readonly findEnrichmentRule?: FindEnrichmentRule | undefined;
  /** What the client may read. Without it, everything. */
  readonly access?: Access | undefined;
}

/** Returns the enrichment rule of a field on the type that it is selected on. */
export type FindEnrichmentRule = (parentType: string, fieldName: string) => EnrichmentRule | undefined;

export interface NormalizedOperation {
  readonly root: SelectionSet;
  /** Every remaining use of `@defer` and every enrichment, outer ones first, in the order of their delivery groups. */
  readonly deferred: readonly DeferUsage[];
}

/** A use of `@defer`, or an enrichment. */
export interface DeferUsage {
  /** Its delivery group. Group 0 is the primary data; the others are numbered from 1. */
  readonly group: number;
  /** Set for an enrichment. */
  readonly rule?: EnrichmentRule;
}

/** What surrounds a selection set. */
interface EnclosingContext {
  /** The type whose fields are selected. */
  readonly parentType: GraphQLCompositeType;
  /** The types of its objects: fragments around the selection set may exclude some of the parent type. The planner refuses a
   *  fragment on another type. */
  readonly objectTypes: readonly GraphQLObjectType[];
  /** What delivers the selection set: the primary data, a use of `@defer`, or an enrichment. */
  readonly delivery: 'primary' | 'deferred' | 'enrichment';
  /** An enclosing field is nullable: a missing value below it leaves a valid response. */
  readonly canBeNull: boolean;
}

/** Expands fragments, folds `@skip`, `@include` and `@defer(if:)`, merges duplicate fields, removes from fragments what the
 *  enclosing selection set selects anyway, and marks what the client may not read. The document must be valid against the
 *  schema.
 *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` when the operation exceeds `maxSelections`. */
export function normalizeOperation(options: NormalizeOperationOptions): NormalizedOperation {
  const { schema, operation, findEnrichmentRule } = options;
  const rootType = schema.getRootType(operation.operation);
  if (rootType == null) throw new Error(`The schema has no ${operation.operation} type.`);
  const state = new OperationState(options);
  const selections = new SelectionSetExpander(state, {
    parentType: rootType,
    objectTypes: [rootType],
    delivery: 'primary',
    canBeNull: false,
  }).expand([operation.selectionSet]);
  const { deferred } = state;
  const conflicting = findConflictingRules(selections, deferred);
  if (conflicting.size > 0) {
    const enrichmentOf: FindEnrichmentRule = (parentType, fieldName) => {
      const rule = findEnrichmentRule?.(parentType, fieldName);
      return rule !== undefined && conflicting.has(rule.coordinate) ? undefined : rule;
    };
    return normalizeOperation({ ...options, findEnrichmentRule: enrichmentOf });
  }
  return { root: new SelectionSet(removeRedundantSelections(selections)), deferred };
}

/** What all selection sets of one operation share. */
class OperationState {
  readonly options: NormalizeOperationOptions;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly deferred: DeferUsage[] = [];
  readonly internalNameOf: ReturnType<InternalNames['forOperation']>;
  #expanded = 0;

  constructor(options: NormalizeOperationOptions) {
    this.options = options;
    this.fragments = fragmentsOf(options.document);
    this.internalNameOf = options.internalNames.forOperation();
  }

  /** Returns a new delivery group. `rule`: for an enrichment. */
  addGroup(rule?: EnrichmentRule): number {
    const group = this.deferred.length + 1;
    this.deferred.push(rule === undefined ? { group } : { group, rule });
    return group;
  }

  /** @throws {GatewayError} `OPERATION_TOO_COMPLEX` */
  countSelection(): void {
    this.#expanded += 1;
    const { maxSelections: allowed } = this.options;
    if (this.#expanded > allowed)
      throw limitExceededError({ limit: 'recursiveSelections', value: this.#expanded, allowed });
  }
}

/** Expands one selection set: gathers its fields and fragments in their order, then creates the selections. */
class SelectionSetExpander {
  readonly #state: OperationState;
  readonly #context: EnclosingContext;
  /** The last entry of each response name. */
  readonly #fields = new Map<string, MergeableFields>();
  readonly #entries: (MergeableFields | ConditionalFragment | DeferredFragment)[] = [];
  #fragmentCount = 0;
  /** Delivery groups of the enrichments in this selection set, by field name. */
  readonly #enrichmentGroups = new Map<string, number>();

  constructor(state: OperationState, context: EnclosingContext) {
    this.#state = state;
    this.#context = context;
  }

  expand(sources: readonly SelectionSetNode[]): Selection[] {
    for (const source of sources) this.#gather(source);
    const { access } = this.#state.options;
    return this.#entries.flatMap((entry): Selection | Selection[] => {
      if ('nodes' in entry)
        return access === undefined ? this.#fieldOf(entry) : this.#readableFieldOf(entry, access);
      if ('kind' in entry) return entry;
      const inner = new SelectionSetExpander(this.#state, this.#contextInside(entry.type));
      return {
        kind: 'Fragment',
        typeCondition: entry.type,
        selectionSet: new SelectionSet(inner.expand(entry.sources)),
      };
    });
  }

  #gather({ selections }: SelectionSetNode): void {
    const { fragments, options } = this.#state;
    for (const node of selections) {
      this.#state.countSelection();
      if (!isIncluded(node.directives, options.booleanVariables)) continue;
      if (node.kind === Kind.FIELD) this.#gatherField(node);
      else if (node.kind === Kind.INLINE_FRAGMENT) this.#gatherFragment(node, node.directives);
      else this.#gatherFragment(fragments.get(node.name.value) as FragmentDefinitionNode, node.directives);
    }
  }

  #gatherField(node: FieldNode): void {
    const responseName = node.alias?.value ?? node.name.value;
    const known = this.#fields.get(responseName);
    // Selections of a field inside a fragment precede its selections after the fragment.
    const isAfterFragment = known !== undefined && known.precedingFragments < this.#fragmentCount;
    if (known === undefined || (node.selectionSet !== undefined && isAfterFragment)) {
      const added = { responseName, nodes: [node], precedingFragments: this.#fragmentCount };
      this.#fields.set(responseName, added);
      this.#entries.push(added);
    } else known.nodes.push(node);
  }

  /** `directives`: those of the inline fragment or of the spread. */
  #gatherFragment(
    { typeCondition, selectionSet }: FragmentDefinitionNode | InlineFragmentNode,
    directives: readonly DirectiveNode[] | undefined,
  ): void {
    const { schema, access, isDeferEnabled, booleanVariables } = this.#state.options;
    const { parentType, delivery } = this.#context;
    const condition = typeCondition && (schema.getType(typeCondition.name.value) as GraphQLCompositeType);
    const decides = condition !== undefined && !isTypeSubTypeOf(schema, parentType, condition);
    // Objects of a denied type are null as a whole.
    if (decides && (!this.#canBe(condition) || access?.isTypeDenied(condition.name))) return;
    // `@defer` inside an enrichment is ignored, because an enrichment is delivered as a whole.
    const defer =
      isDeferEnabled && delivery !== 'enrichment' ? activeDeferOf(directives, booleanVariables) : undefined;
    if (defer !== undefined) {
      this.#entries.push(this.#deferredOf(selectionSet, decides ? condition : undefined, defer.label));
    } else if (!decides) {
      this.#gather(selectionSet);
    } else {
      const known = this.#mergeableFragment(condition);
      if (known === undefined) {
        this.#entries.push({ type: condition, sources: [selectionSet] });
        this.#fragmentCount += 1;
      } else known.sources.push(selectionSet);
    }
  }

  #canBe(type: GraphQLCompositeType): boolean {
    const { schema } = this.#state.options;
    return this.#context.objectTypes.some((object) => isTypeSubTypeOf(schema, object, type));
  }

  /** A preceding fragment with this condition that further selections can be added to without changing the field order. */
  #mergeableFragment(condition: GraphQLCompositeType): ConditionalFragment | undefined {
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i] as MergeableFields | ConditionalFragment | DeferredFragment;
      if ('nodes' in entry) return undefined;
      if ('kind' in entry) continue;
      if (entry.type === condition) return entry;
      if (doTypesOverlap(this.#state.options.schema, entry.type, condition)) return undefined;
    }
    return undefined;
  }

  /** The context of a fragment with this condition. */
  #contextInside(condition: GraphQLCompositeType): EnclosingContext {
    const { schema } = this.#state.options;
    const { parentType, objectTypes } = this.#context;
    return {
      ...this.#context,
      // The narrower of the two types.
      parentType: isObjectType(parentType) ? parentType : condition,
      objectTypes: objectTypes.filter((type) => isTypeSubTypeOf(schema, type, condition)),
    };
  }

  #deferredOf(
    source: SelectionSetNode,
    condition: GraphQLCompositeType | undefined,
    label: string | undefined,
  ): DeferredFragment {
    const group = this.#state.addGroup();
    const context = condition === undefined ? this.#context : this.#contextInside(condition);
    const inner = new SelectionSetExpander(this.#state, { ...context, delivery: 'deferred' });
    const full = new SelectionSet(inner.expand([source]));
    return { kind: 'Deferred', group, label, typeCondition: condition, full, own: full };
  }

  /** The field as far as the client may read it. On an interface, that may differ between the types of the objects:
   *  then the field is divided into fragments, one for each type. */
  #readableFieldOf(entry: MergeableFields, access: Access): Selection | Selection[] {
    const { parentType, objectTypes } = this.#context;
    const name = (entry.nodes[0] as FieldNode).name.value;
    if (name.startsWith('__')) return this.#fieldOf(entry);
    if (access.isFieldDenied(parentType.name, name)) return this.#deniedFieldOf(entry);
    if (!isAbstractType(parentType)) return this.#fieldOf(entry);
    const visible = objectTypes.filter((type) => !access.isTypeDenied(type.name));
    const allowed = new Set(visible.filter((type) => !access.isFieldDenied(type.name, name)));
    if (allowed.size === objectTypes.length) return this.#fieldOf(entry);
    if (allowed.size === 0) return this.#deniedFieldOf(entry);
    return visible.map((type): Selection => {
      this.#state.countSelection();
      const field = allowed.has(type) ? this.#fieldOf(entry, type) : this.#deniedFieldOf(entry);
      return { kind: 'Fragment', typeCondition: type, selectionSet: new SelectionSet([field]) };
    });
  }

  #deniedFieldOf({ responseName, nodes }: MergeableFields): FieldSelection {
    const field = nodes[0] as FieldNode;
    return {
      kind: 'Field',
      responseName,
      internalName: this.#state.internalNameOf(responseName, field),
      fieldName: field.name.value,
      arguments: [],
      directives: [],
      compositeType: undefined,
      selectionSet: undefined,
      isDenied: true,
    };
  }

  /** `owner`: the type of the objects that the field is selected on. */
  #fieldOf({ responseName, nodes }: MergeableFields, owner = this.#context.parentType): FieldSelection {
    const { schema } = this.#state.options;
    const field = nodes[0] as FieldNode;
    const inner = nodes.flatMap((node) => node.selectionSet ?? []);
    const type = compositeTypeOf(schema, owner, field.name.value);
    const enrichmentGroup = this.#addEnrichment(field.name.value, owner);
    return {
      kind: 'Field',
      responseName,
      internalName: this.#state.internalNameOf(responseName, field),
      fieldName: field.name.value,
      arguments: field.arguments ?? [],
      directives: mergeDirectives(schema, nodes),
      compositeType: type,
      selectionSet:
        inner.length === 0 || type === undefined
          ? undefined
          : this.#subfieldsOf(inner, type, {
              delivery: enrichmentGroup === undefined ? this.#context.delivery : 'enrichment',
              canBeNull: this.#context.canBeNull || hasNullablePosition(schema, owner, field.name.value),
            }),
      ...(enrichmentGroup === undefined ? {} : { enrichmentGroup }),
    };
  }

  #subfieldsOf(
    sources: readonly SelectionSetNode[],
    type: GraphQLCompositeType,
    context: Pick<EnclosingContext, 'delivery' | 'canBeNull'>,
  ): SelectionSet {
    const { schema, access } = this.#state.options;
    const inner = new SelectionSetExpander(this.#state, {
      ...context,
      parentType: type,
      objectTypes: possibleTypesOf(schema, type),
    });
    const selections = removeRedundantSelections(inner.expand(sources));
    return new SelectionSet([...selections, ...deniedTypesOf(schema, type, access)]);
  }

  /** Returns the field's delivery group if the field is an enrichment. Fields inside a use of `@defer`, and fields
   *  without a nullable position that could be null for now, are no enrichments. */
  #addEnrichment(fieldName: string, owner: GraphQLCompositeType): number | undefined {
    const { options, deferred } = this.#state;
    const { delivery, canBeNull: isBelowNullable } = this.#context;
    if (options.findEnrichmentRule === undefined || delivery === 'deferred') return undefined;
    const rule = options.findEnrichmentRule(owner.name, fieldName);
    if (rule === undefined) return undefined;
    if (!isBelowNullable && !canBeNull(options.schema, owner, fieldName)) return undefined;
    const ofAlias = this.#enrichmentGroups.get(fieldName);
    if (ofAlias !== undefined && deferred.length >= maxSeparateAliases) return ofAlias;
    const group = this.#state.addGroup(rule);
    this.#enrichmentGroups.set(fieldName, group);
    return group;
  }
}

/** In an operation with so many delivery groups, further aliases of one enrichment on one object share a group: each group
 *  has requests of its own, and aliases cost a client nothing. */
const maxSeparateAliases = 16;

/** Coordinates of enrichments that conflict with the client's uses of `@defer`. */
function findConflictingRules(
  selections: readonly Selection[],
  deferred: readonly DeferUsage[],
): ReadonlySet<string> {
  const own = deferred.filter(({ rule }) => rule === undefined);
  if (own.length === 0 || own.length === deferred.length) return new Set();
  const conflicting = findConflictingEnrichments(selections);
  return new Set(
    deferred.flatMap(({ group, rule }) => (rule && conflicting.has(group) ? [rule.coordinate] : [])),
  );
}

/** The directives of merged fields, without conditions. Of a directive that may be used once, the first use stays. */
function mergeDirectives(schema: GraphQLSchema, nodes: readonly FieldNode[]): DirectiveNode[] {
  const used = new Set<string>();
  return nodes
    .flatMap((node) => node.directives ?? [])
    .filter((directive) => {
      const name = directive.name.value;
      if (isCondition(directive)) return false;
      if (used.has(name) && schema.getDirective(name)?.isRepeatable !== true) return false;
      used.add(name);
      return true;
    });
}

/** One selection for each object type of an interface or union that the client may not read. */
function deniedTypesOf(
  schema: GraphQLSchema,
  type: GraphQLCompositeType,
  access: Access | undefined,
): readonly Selection[] {
  if (access === undefined || !isAbstractType(type)) return [];
  return schema
    .getPossibleTypes(type)
    .filter(({ name }) => access.isTypeDenied(name))
    .map((denied) => ({
      kind: 'Fragment',
      typeCondition: denied,
      selectionSet: new SelectionSet([]),
      isDenied: true,
    }));
}

/** The type of a field with subfields; `undefined` for any other field. */
function compositeTypeOf(
  schema: GraphQLSchema,
  parent: GraphQLCompositeType,
  fieldName: string,
): GraphQLCompositeType | undefined {
  const field = 'getFields' in parent ? parent.getFields()[fieldName] : undefined;
  const type = getNamedType(field?.type ?? introspectionType(schema, fieldName));
  return isCompositeType(type) ? type : undefined;
}

function isCondition(directive: DirectiveNode): boolean {
  return directive.name.value === 'skip' || directive.name.value === 'include';
}

/** Fields of one response name that can be merged without changing the order of their subfields. */
interface MergeableFields {
  readonly responseName: string;
  readonly nodes: FieldNode[];
  /** Number of fragments with a type condition before these fields. */
  readonly precedingFragments: number;
}

/** Adjacent fragments with the same type condition. */
interface ConditionalFragment {
  readonly type: GraphQLCompositeType;
  readonly sources: SelectionSetNode[];
}
