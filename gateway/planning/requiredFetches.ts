import {
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
  visit,
} from 'graphql';
import type { FetchNode, PlanNode, RequiresSelection } from './queryPlan.ts';
import type { RequiredArguments, RequiredField, RequiredUse } from './requiredArguments.ts';

/** Whether two types can be those of one object. */
export type CanOverlap = (one: string, other: string) => boolean;

/** Makes a fetch of the planner's supergraph one that subgraphs understand: stand-ins become aliases of the fields
 *  that they stand for, and representations carry the fields' own names.
 *
 *  Where fields of the fetch need different values of one input (`a @requires(fields: "price(currency: EUR)")` and
 *  `b @requires(fields: "price(currency: USD)")`), a representation has room for one of them only: the fetch becomes
 *  several, side by side. */
export function toSubgraphFetches(
  fetch: FetchNode,
  required: RequiredArguments,
  canOverlap: CanOverlap,
): PlanNode {
  const parts = split(fetch, required, canOverlap).map((part) => restore(part, required));
  return parts.length === 1 ? (parts[0] as FetchNode) : { kind: 'Parallel', nodes: parts };
}

function restore(fetch: FetchNode, { fields }: RequiredArguments): FetchNode {
  let isChanged = false;
  const document = visit(parse(fetch.operation, { noLocation: true }), {
    [Kind.FIELD]: (node): FieldNode | undefined => {
      const field = fields.get(node.name.value);
      if (field === undefined) return undefined;
      isChanged = true;
      return {
        ...node,
        alias: node.alias ?? node.name,
        name: { kind: Kind.NAME, value: field.name },
        arguments: field.arguments,
      };
    },
  });
  return {
    ...fetch,
    ...(isChanged ? { operation: print(document) } : {}),
    ...(fetch.requires === undefined ? {} : { requires: restoreRequires(fetch.requires, fields) }),
  };
}

function restoreRequires(
  selections: readonly RequiresSelection[],
  fields: ReadonlyMap<string, RequiredField>,
): RequiresSelection[] {
  return selections.map((selection): RequiresSelection => {
    if (selection.kind === 'InlineFragment') {
      return { ...selection, selections: restoreRequires(selection.selections, fields) };
    }
    const field = fields.get(selection.name);
    return {
      ...selection,
      ...(field === undefined ? {} : { name: field.name, alias: selection.name }),
      ...(selection.selections === undefined
        ? {}
        : { selections: restoreRequires(selection.selections, fields) }),
    };
  });
}

/** What one of several fetches selects and needs. */
interface Part {
  readonly selected: Set<FieldNode>;
  readonly uses: RequiredUse[];
}

function split(fetch: FetchNode, required: RequiredArguments, canOverlap: CanOverlap): FetchNode[] {
  const [document, entities] = entitiesOf(fetch);
  if (document === undefined || entities?.selectionSet === undefined) return [fetch];
  const parts: Part[] = [];
  visitFields(entities.selectionSet.selections, undefined, (field, typeName) => {
    const uses = required.uses.get(`${fetch.serviceName} ${typeName}.${field.name.value}`) ?? [];
    let part = parts.find((candidate) => !uses.some((use) => isInConflict(use, candidate.uses, canOverlap)));
    if (part === undefined) {
      part = { selected: new Set(), uses: [] };
      parts.push(part);
    }
    part.selected.add(field);
    part.uses.push(...uses);
  });
  if (parts.length < 2) return [fetch];
  return parts.map(({ selected, uses }) => {
    const kept = {
      ...entities,
      selectionSet: {
        kind: Kind.SELECTION_SET,
        selections: keep(entities.selectionSet?.selections ?? [], selected),
      },
    } as const;
    return {
      ...fetch,
      ...operationWith(document, kept, fetch.variableUsages),
      requires: dropUnused(fetch.requires ?? [], '', new Set(uses.map(keyOf)), required.fields),
    };
  });
}

function entitiesOf(fetch: FetchNode): [OperationDefinitionNode, FieldNode] | [undefined, undefined] {
  if (fetch.requires === undefined || fetch.requires.length === 0) return [undefined, undefined];
  const [operation] = parse(fetch.operation, { noLocation: true }).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return [undefined, undefined];
  const [entities] = operation.selectionSet.selections;
  return entities?.kind === Kind.FIELD ? [operation, entities] : [undefined, undefined];
}

function visitFields(
  selections: readonly SelectionNode[],
  typeName: string | undefined,
  visitField: (field: FieldNode, typeName: string | undefined) => void,
): void {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) visitField(selection, typeName);
    else if (selection.kind === Kind.INLINE_FRAGMENT) {
      visitFields(
        selection.selectionSet.selections,
        selection.typeCondition?.name.value ?? typeName,
        visitField,
      );
    }
  }
}

function isInConflict(use: RequiredUse, others: readonly RequiredUse[], canOverlap: CanOverlap): boolean {
  return others.some(
    (other) =>
      other.path === use.path &&
      other.field !== use.field &&
      other.field.name === use.field.name &&
      canOverlap(other.typeName, use.typeName),
  );
}

function keep(selections: readonly SelectionNode[], fields: ReadonlySet<FieldNode>): SelectionNode[] {
  return selections.flatMap((selection): SelectionNode[] => {
    if (selection.kind === Kind.FIELD) return fields.has(selection) ? [selection] : [];
    if (selection.kind !== Kind.INLINE_FRAGMENT) return [selection];
    const inner = keep(selection.selectionSet.selections, fields);
    return inner.length === 0
      ? []
      : [{ ...selection, selectionSet: { ...selection.selectionSet, selections: inner } }];
  });
}

/** The operation with another `_entities` selection and the variables that are left in it. */
function operationWith(
  operation: OperationDefinitionNode,
  entities: FieldNode,
  usages: readonly string[],
): Pick<FetchNode, 'operation' | 'variableUsages'> {
  const used = new Set<string>();
  visit(entities, { [Kind.VARIABLE]: (variable) => void used.add(variable.name.value) });
  const variableDefinitions = (operation.variableDefinitions ?? []).filter(({ variable }) =>
    used.has(variable.name.value),
  );
  return {
    operation: print({
      ...operation,
      variableDefinitions,
      selectionSet: { kind: Kind.SELECTION_SET, selections: [entities] },
    }),
    variableUsages: usages.filter((name) => used.has(name)),
  };
}

function dropUnused(
  selections: readonly RequiresSelection[],
  path: string,
  used: ReadonlySet<string>,
  fields: ReadonlyMap<string, RequiredField>,
): RequiresSelection[] {
  return selections.flatMap((selection): RequiresSelection[] => {
    if (selection.kind === 'InlineFragment') {
      const inner = dropUnused(selection.selections, path, used, fields);
      return inner.length === 0 ? [] : [{ ...selection, selections: inner }];
    }
    const field = fields.get(selection.name);
    if (field !== undefined && !used.has(keyOf({ field, path }))) return [];
    if (selection.selections === undefined) return [selection];
    const below = path === '' ? selection.name : `${path}.${selection.name}`;
    const inner = dropUnused(selection.selections, below, used, fields);
    return inner.length === 0 ? [] : [{ ...selection, selections: inner }];
  });
}

function keyOf({ field, path }: Pick<RequiredUse, 'field' | 'path'>): string {
  return `${path}/${field.standIn}`;
}
