import {
  type DirectiveNode,
  type DocumentNode,
  doTypesOverlap,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
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
  /** What delivers the selection set: the primary data, a use of `@defer`, or an enrichment. */
  readonly delivery: 'primary' | 'deferred' | 'enrichment';
  /** An enclosing field is nullable: a missing value below it leaves a valid response. */
  readonly canBeNull: boolean;
}

/** Expands fragments, folds `@skip`, `@include` and `@defer(if:)`, merges duplicate fields, removes from fragments what the
 *  enclosing selection set selects anyway, and marks what the client may not read. The document must be valid against the schema.
 *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` when the operation exceeds `maxSelections`. */
export function normalizeOperation(options: NormalizeOperationOptions): NormalizedOperation {
  const { schema, booleanVariables, internalNames, isDeferEnabled, access } = options;
  const fragments = fragmentsOf(options.document);
  const deferred: DeferUsage[] = [];
  const internalNameOf = internalNames.forOperation();
  let expanded = 0;

  const rootType = schema.getRootType(options.operation.operation);
  if (rootType == null) throw new Error(`The schema has no ${options.operation.operation} type.`);
  const top: EnclosingContext = { delivery: 'primary', canBeNull: false };
  const selections = expand([options.operation.selectionSet], rootType, top);
  const conflicting = findConflictingRules(selections, deferred);
  if (conflicting.size > 0) {
    const enrichmentOf: FindEnrichmentRule = (parentType, fieldName) => {
      const rule = options.findEnrichmentRule?.(parentType, fieldName);
      return rule !== undefined && conflicting.has(rule.coordinate) ? undefined : rule;
    };
    return normalizeOperation({ ...options, findEnrichmentRule: enrichmentOf });
  }
  return { root: new SelectionSet(removeRedundantSelections(selections)), deferred };

  function expand(
    sources: readonly SelectionSetNode[],
    parentType: GraphQLCompositeType,
    enclosing: EnclosingContext,
  ): Selection[] {
    /** The last entry of each response name. */
    const fields = new Map<string, MergeableFields>();
    const order: (MergeableFields | ConditionalFragment | DeferredFragment)[] = [];
    let fragmentCount = 0;
    /** Delivery groups of the enrichments in this selection set, by field name. */
    const enrichmentGroups = new Map<string, number>();
    for (const source of sources) gather(source);

    return order.flatMap((entry): Selection | Selection[] => {
      if ('nodes' in entry) return access === undefined ? fieldOf(entry) : readableFieldOf(entry, access);
      if ('kind' in entry) return entry;
      return {
        kind: 'Fragment',
        typeCondition: entry.type,
        selectionSet: new SelectionSet(expand(entry.sources, narrow(parentType, entry.type), enclosing)),
      };
    });

    function gather({ selections }: SelectionSetNode): void {
      for (const node of selections) {
        countSelection();
        if (!isIncluded(node.directives, booleanVariables)) continue;
        if (node.kind === Kind.FIELD) gatherField(node);
        else if (node.kind === Kind.INLINE_FRAGMENT) gatherFragment(node, node.directives);
        else gatherFragment(fragments.get(node.name.value) as FragmentDefinitionNode, node.directives);
      }
    }

    function gatherField(node: FieldNode): void {
      const responseName = node.alias?.value ?? node.name.value;
      const known = fields.get(responseName);
      // Selections of a field inside a fragment precede its selections after the fragment.
      const isAfterFragment = known !== undefined && known.precedingFragments < fragmentCount;
      if (known === undefined || (node.selectionSet !== undefined && isAfterFragment)) {
        const added = { responseName, nodes: [node], precedingFragments: fragmentCount };
        fields.set(responseName, added);
        order.push(added);
      } else known.nodes.push(node);
    }

    /** `directives`: those of the inline fragment or of the spread. */
    function gatherFragment(
      { typeCondition, selectionSet }: FragmentDefinitionNode | InlineFragmentNode,
      directives: readonly DirectiveNode[] | undefined,
    ): void {
      const condition = typeCondition && (schema.getType(typeCondition.name.value) as GraphQLCompositeType);
      const decides = condition !== undefined && !isTypeSubTypeOf(schema, parentType, condition);
      // Objects of a denied type are null as a whole.
      if (decides && (!doTypesOverlap(schema, condition, parentType) || access?.isTypeDenied(condition.name)))
        return;
      // `@defer` inside an enrichment is ignored, because an enrichment is delivered as a whole.
      const defer =
        isDeferEnabled && enclosing.delivery !== 'enrichment'
          ? activeDeferOf(directives, booleanVariables)
          : undefined;
      if (defer !== undefined) {
        order.push(deferredOf(selectionSet, decides ? condition : undefined, defer.label));
      } else if (!decides) {
        gather(selectionSet);
      } else {
        const known = mergeable(condition);
        if (known === undefined) {
          order.push({ type: condition, sources: [selectionSet] });
          fragmentCount += 1;
        } else known.sources.push(selectionSet);
      }
    }

    /** A preceding fragment with this condition that further selections can be added to without changing the field order. */
    function mergeable(condition: GraphQLCompositeType): ConditionalFragment | undefined {
      for (let i = order.length - 1; i >= 0; i--) {
        const entry = order[i] as (typeof order)[number];
        if ('nodes' in entry) return undefined;
        if ('kind' in entry) continue;
        if (entry.type === condition) return entry;
        if (doTypesOverlap(schema, entry.type, condition)) return undefined;
      }
      return undefined;
    }

    function deferredOf(
      source: SelectionSetNode,
      condition: GraphQLCompositeType | undefined,
      label: string | undefined,
    ): DeferredFragment {
      const group = deferred.length + 1;
      deferred.push({ group });
      const type = condition === undefined ? parentType : narrow(parentType, condition);
      const full = new SelectionSet(expand([source], type, { ...enclosing, delivery: 'deferred' }));
      return { kind: 'Deferred', group, label, typeCondition: condition, full, own: full };
    }

    /** The field as far as the client may read it. On an interface, that may differ between the types of the objects:
     *  then the field is divided into fragments, one for each type. */
    function readableFieldOf(entry: MergeableFields, readable: Access): Selection | Selection[] {
      const name = (entry.nodes[0] as FieldNode).name.value;
      if (name.startsWith('__')) return fieldOf(entry);
      if (readable.isFieldDenied(parentType.name, name)) return deniedFieldOf(entry);
      if (!isAbstractType(parentType)) return fieldOf(entry);
      const types = schema.getPossibleTypes(parentType);
      const visible = types.filter((type) => !readable.isTypeDenied(type.name));
      const allowed = new Set(visible.filter((type) => !readable.isFieldDenied(type.name, name)));
      if (allowed.size === types.length) return fieldOf(entry);
      if (allowed.size === 0) return deniedFieldOf(entry);
      return visible.map((type): Selection => {
        countSelection();
        const field = allowed.has(type) ? fieldOf(entry, type) : deniedFieldOf(entry);
        return { kind: 'Fragment', typeCondition: type, selectionSet: new SelectionSet([field]) };
      });
    }

    function deniedFieldOf({ responseName, nodes }: MergeableFields): FieldSelection {
      const field = nodes[0] as FieldNode;
      return {
        kind: 'Field',
        responseName,
        internalName: internalNameOf(responseName, field),
        fieldName: field.name.value,
        arguments: [],
        directives: [],
        compositeType: undefined,
        selectionSet: undefined,
        isDenied: true,
      };
    }

    /** `owner`: the type of the objects that the field is selected on. */
    function fieldOf({ responseName, nodes }: MergeableFields, owner = parentType): FieldSelection {
      const field = nodes[0] as FieldNode;
      const inner = nodes.flatMap((node) => node.selectionSet ?? []);
      const type = compositeTypeOf(schema, owner, field.name.value);
      const enrichmentGroup = addEnrichment(field.name.value, owner);
      return {
        kind: 'Field',
        responseName,
        internalName: internalNameOf(responseName, field),
        fieldName: field.name.value,
        arguments: field.arguments ?? [],
        directives: mergeDirectives(schema, nodes),
        compositeType: type,
        selectionSet:
          inner.length === 0 || type === undefined
            ? undefined
            : new SelectionSet([
                ...removeRedundantSelections(
                  expand(inner, type, within(field.name.value, owner, enrichmentGroup)),
                ),
                ...deniedTypesOf(schema, type, access),
              ]),
        ...(enrichmentGroup === undefined ? {} : { enrichmentGroup }),
      };
    }

    /** Returns the field's delivery group if the field is an enrichment. Fields inside a use of `@defer`, and fields
     *  without a nullable position that could be null for now, are no enrichments. */
    function addEnrichment(fieldName: string, owner: GraphQLCompositeType): number | undefined {
      if (options.findEnrichmentRule === undefined || enclosing.delivery === 'deferred') return undefined;
      const rule = options.findEnrichmentRule(owner.name, fieldName);
      if (rule === undefined) return undefined;
      if (!enclosing.canBeNull && !canBeNull(schema, owner, fieldName)) return undefined;
      const ofAlias = enrichmentGroups.get(fieldName);
      if (ofAlias !== undefined && deferred.length >= maxSeparateAliases) return ofAlias;
      const group = deferred.length + 1;
      deferred.push({ group, rule });
      enrichmentGroups.set(fieldName, group);
      return group;
    }

    function within(
      fieldName: string,
      owner: GraphQLCompositeType,
      enrichmentGroup: number | undefined,
    ): EnclosingContext {
      return {
        delivery: enrichmentGroup === undefined ? enclosing.delivery : 'enrichment',
        canBeNull: enclosing.canBeNull || hasNullablePosition(schema, owner, fieldName),
      };
    }
  }

  /** @throws {GatewayError} `OPERATION_TOO_COMPLEX` */
  function countSelection(): void {
    expanded += 1;
    if (expanded <= options.maxSelections) return;
    throw limitExceededError({
      limit: 'recursiveSelections',
      value: expanded,
      allowed: options.maxSelections,
    });
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

/** The narrower of the two types, which is the parent type of selections inside the fragment. */
function narrow(type: GraphQLCompositeType, condition: GraphQLCompositeType): GraphQLCompositeType {
  return isObjectType(type) ? type : condition;
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
