import {
  type ArgumentNode,
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { EntityFields, EntityInputs } from './entityInputs.ts';
import { responseNameOf } from './fieldTree.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, QueryPlan, RequiresSelection } from './queryPlan.ts';
import type { RequiredArguments, RequiredField, RequiredUse } from './requiredArguments.ts';
import { withUsedVariables } from './usedVariableDefinitions.ts';

/** Converts a plan for the planner's supergraph to one for the subgraphs: placeholders become aliases of the fields that
 *  they represent, from which `@fromContext` arguments are read, and representations contain the original field names.
 *
 *  When fields of one fetch need different values of one input (`a @requires(fields: "price(currency: EUR)")` and
 *  `b @requires(fields: "price(currency: USD)")`), a representation can carry only one of them, so that the fetch is
 *  split into parallel fetches. */
export function toSubgraphPlan(
  plan: QueryPlan,
  required: RequiredArguments,
  inputs: EntityInputs,
): QueryPlan {
  if (required.fields.size === 0) return plan;
  const restorations = restorationsOf(plan, required);
  const responseNameOf = (name: string): string => restorations.get(name)?.key ?? name;
  return mapFetches(
    plan,
    (fetch) => {
      const parts = splitFetch(fetch, required, inputs).map((part) =>
        restoreFetch(part, required.fields, restorations),
      );
      return parts.length === 1 ? (parts[0] as FetchNode) : { kind: 'Parallel', nodes: parts };
    },
    // A part may end with type conditions.
    (part) => part.replace(/^[^|]+/, responseNameOf),
  );
}

type RequiredFields = ReadonlyMap<string, RequiredField>;

/** The field that replaces a placeholder in subgraph operations: its response name and arguments. */
interface RestoredField {
  readonly key: string;
  readonly arguments: readonly ArgumentNode[];
}

type RestorationsByPlaceholder = ReadonlyMap<string, RestoredField>;

/** Restored fields by placeholder. A placeholder gets the field's own name as its response name if that name has no
 *  other meaning in the plan. The subgraph then resolves the field once for the client and for the `@requires`. */
function restorationsOf(plan: QueryPlan, required: RequiredArguments): RestorationsByPlaceholder {
  const meanings = new Map<string, Set<string>>();
  const argumentsByKey = new Map<string, Map<string, readonly ArgumentNode[]>>();
  let hasRewrites = false;
  mapFetches(plan, (fetch) => {
    hasRewrites ||= (fetch.outputRewrites ?? []).length > 0;
    visit(parse(fetch.operation, { noLocation: true }), { [Kind.FIELD]: read });
    return fetch;
  });
  return new Map(
    [...required.fields].map(([placeholder, { name, arguments: own }]): [string, RestoredField] => {
      const elsewhere = argumentsByKey.get(name) ?? new Map();
      // A subgraph does not merge fields whose arguments have equal values but different texts, such as an omitted
      // argument and its explicit default.
      const isUnambiguous = !hasRewrites && meanings.get(name)?.size === 1 && elsewhere.size <= 1;
      const [asElsewhere = own] = elsewhere.values();
      return [
        placeholder,
        isUnambiguous ? { key: name, arguments: asElsewhere } : { key: placeholder, arguments: own },
      ];
    }),
  );

  function read(node: FieldNode): void {
    const requiredField = required.fields.get(node.name.value);
    const { name, arguments: given = [] } = requiredField ?? {
      name: node.name.value,
      arguments: node.arguments,
    };
    const key = requiredField?.name ?? node.alias?.value ?? name;
    getOrInsertComputed(meanings, key, () => new Set()).add(
      `${name}(${required.canonicalArgumentsOf(name, given)})`,
    );
    if (requiredField === undefined)
      getOrInsertComputed(argumentsByKey, key, () => new Map()).set(given.map(print).join(), given);
  }
}

function restoreFetch(
  fetch: FetchNode,
  fields: RequiredFields,
  restorations: RestorationsByPlaceholder,
): FetchNode {
  let isChanged = false;
  const document = visit(parse(fetch.operation, { noLocation: true }), {
    [Kind.FIELD]: (node): FieldNode | undefined => {
      const field = fields.get(node.name.value);
      if (field === undefined) return undefined;
      isChanged = true;
      const restored = restorations.get(field.placeholder) as RestoredField;
      const key = node.alias?.value ?? restored.key;
      const { alias: _, ...rest } = node;
      return {
        ...rest,
        ...(key === field.name ? {} : { alias: { kind: Kind.NAME, value: key } }),
        name: { kind: Kind.NAME, value: field.name },
        arguments: restored.arguments,
      };
    },
    [Kind.SELECTION_SET]: { leave: mergeFields },
  });
  return {
    ...fetch,
    ...(isChanged ? { operation: print(document) } : {}),
    ...(fetch.requires === undefined
      ? {}
      : { requires: restoreRequires(fetch.requires, fields, restorations) }),
    ...(fetch.inputRewrites === undefined
      ? {}
      : {
          // Input rewrites apply to representations, which contain the original field names.
          inputRewrites: fetch.inputRewrites.map((rewrite) => ({
            ...rewrite,
            path: rewrite.path.map((part) => fields.get(part)?.name ?? part),
          })),
        }),
    ...(fetch.contextRewrites === undefined
      ? {}
      : {
          // Context rewrites lead through the response tree.
          contextRewrites: fetch.contextRewrites.map((rewrite) => ({
            ...rewrite,
            path: rewrite.path.map((part) => restorations.get(part)?.key ?? part),
          })),
        }),
  };
}

/** Merges fields of one response name: a restored placeholder may equal a field that was already selected. */
function mergeFields(set: SelectionSetNode): SelectionSetNode | undefined {
  const byKey = new Map<string, SelectionNode>();
  for (const selection of set.selections) {
    const key = selection.kind === Kind.FIELD ? responseNameOf(selection) : `... ${byKey.size}`;
    const existing = byKey.get(key);
    byKey.set(
      key,
      existing?.kind === Kind.FIELD && selection.kind === Kind.FIELD
        ? mergeTwoFields(existing, selection)
        : selection,
    );
  }
  return byKey.size === set.selections.length ? undefined : { ...set, selections: [...byKey.values()] };
}

function mergeTwoFields(first: FieldNode, second: FieldNode): FieldNode {
  if (first.selectionSet === undefined || second.selectionSet === undefined) return first;
  const both = {
    ...first.selectionSet,
    selections: [...first.selectionSet.selections, ...second.selectionSet.selections],
  };
  return { ...first, selectionSet: mergeFields(both) ?? both };
}

function restoreRequires(
  selections: readonly RequiresSelection[],
  fields: RequiredFields,
  restorations: RestorationsByPlaceholder,
): RequiresSelection[] {
  return selections.map((selection): RequiresSelection => {
    if (selection.kind === 'InlineFragment') {
      return { ...selection, selections: restoreRequires(selection.selections, fields, restorations) };
    }
    const field = fields.get(selection.name);
    const key = restorations.get(selection.name)?.key;
    return {
      ...selection,
      ...(field === undefined ? {} : { name: field.name }),
      ...(field === undefined || key === undefined || key === field.name ? {} : { alias: key }),
      ...(selection.selections === undefined
        ? {}
        : { selections: restoreRequires(selection.selections, fields, restorations) }),
    };
  });
}

/** The entity fields and the required fields of one of the parallel fetches. */
interface FetchPart {
  readonly selected: Set<FieldNode>;
  readonly uses: RequiredUse[];
}

function splitFetch(fetch: FetchNode, required: RequiredArguments, inputs: EntityInputs): FetchNode[] {
  const [document, entities] = entitiesOf(fetch);
  if (document === undefined || entities?.selectionSet === undefined) return [fetch];
  const parts: FetchPart[] = [];
  for (const [field, typeName] of entityFieldsOf(entities)) {
    const uses = required.uses.get(`${fetch.serviceName} ${typeName}.${field.name.value}`) ?? [];
    let part = parts.find((candidate) => !uses.some((use) => conflictsWithAny(use, candidate.uses, inputs)));
    if (part === undefined) {
      part = { selected: new Set(), uses: [] };
      parts.push(part);
    }
    part.selected.add(field);
    part.uses.push(...uses);
  }
  if (parts.length < 2) return [fetch];
  return parts.map(({ selected }) => withEntityFields(fetch, document, entities, selected, inputs));
}

export function entitiesOf(fetch: FetchNode): [OperationDefinitionNode, FieldNode] | [undefined, undefined] {
  if (fetch.requires === undefined || fetch.requires.length === 0) return [undefined, undefined];
  const [operation] = parse(fetch.operation, { noLocation: true }).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return [undefined, undefined];
  const [entities] = operation.selectionSet.selections;
  return entities?.kind === Kind.FIELD ? [operation, entities] : [undefined, undefined];
}

export function entityFieldsOf({ selectionSet }: FieldNode): EntityFields {
  const fields = new Map<FieldNode, string | undefined>();
  const visitSelections = (selections: readonly SelectionNode[], typeName: string | undefined): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) fields.set(selection, typeName);
      else if (selection.kind === Kind.INLINE_FRAGMENT)
        visitSelections(selection.selectionSet.selections, selection.typeCondition?.name.value ?? typeName);
    }
  };
  visitSelections(selectionSet?.selections ?? [], undefined);
  return fields;
}

function conflictsWithAny(use: RequiredUse, others: readonly RequiredUse[], inputs: EntityInputs): boolean {
  return others.some(
    (other) =>
      other.path === use.path &&
      other.field !== use.field &&
      other.field.name === use.field.name &&
      inputs.canOverlap(other.typeName, use.typeName),
  );
}

function retainFields(selections: readonly SelectionNode[], fields: ReadonlySet<FieldNode>): SelectionNode[] {
  return selections.flatMap((selection): SelectionNode[] => {
    if (selection.kind === Kind.FIELD) return fields.has(selection) ? [selection] : [];
    if (selection.kind !== Kind.INLINE_FRAGMENT) return [selection];
    const inner = retainFields(selection.selectionSet.selections, fields);
    return inner.length === 0
      ? []
      : [{ ...selection, selectionSet: { ...selection.selectionSet, selections: inner } }];
  });
}

/** Reduces an entity fetch to some fields of its entities, with the inputs that these need. */
export function withEntityFields(
  fetch: FetchNode,
  operation: OperationDefinitionNode,
  entities: FieldNode,
  fields: ReadonlySet<FieldNode>,
  inputs: EntityInputs,
): FetchNode {
  const selections = retainFields(entities.selectionSet?.selections ?? [], fields);
  const reduced = { ...entities, selectionSet: { kind: Kind.SELECTION_SET, selections } } as const;
  const { requires = [], outputRewrites } = fetch;
  const keys = new Set(Array.from(fields, responseNameOf));
  return {
    ...fetch,
    ...replaceEntitiesSelection(operation, reduced, fetch),
    requires: inputs.limitTo(fields, entityFieldsOf(entities), fetch.serviceName, requires),
    ...(outputRewrites && {
      outputRewrites: outputRewrites.filter(({ path }) =>
        keys.has(path.find((part) => !part.startsWith('... on ')) ?? ''),
      ),
    }),
  };
}

/** Replaces the `_entities` selection of an operation, and drops variables that are no longer used. */
export function replaceEntitiesSelection(
  operation: OperationDefinitionNode,
  entities: FieldNode,
  { variableUsages, contextRewrites }: FetchNode,
): Pick<FetchNode, 'operation' | 'variableUsages' | 'contextRewrites'> {
  const narrowed = withUsedVariables({
    ...operation,
    selectionSet: { kind: Kind.SELECTION_SET, selections: [entities] },
  });
  const names = new Set(narrowed.variableDefinitions?.map(({ variable }) => variable.name.value));
  return {
    operation: print(narrowed),
    variableUsages: variableUsages.filter((name) => names.has(name)),
    ...(contextRewrites && {
      contextRewrites: contextRewrites.filter(({ renameKeyTo }) => names.has(renameKeyTo)),
    }),
  };
}
