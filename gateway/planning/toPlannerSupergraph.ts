import { type ConstDirectiveNode, type DocumentNode, type FieldDefinitionNode, Kind } from 'graphql';
import { expandInterfaceObjects } from './expandInterfaceObjects.ts';
import type { QueryPlan } from './queryPlan.ts';
import { PlaceholderFields, type RequiredArguments } from './requiredArguments.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  isComposite,
  replaceArgument,
  replaceContextSelections,
  subgraphNamesOf,
  typesByContext,
} from './supergraphDocument.ts';

interface PlannerSupergraph {
  /** The original document itself when nothing had to change. */
  readonly document: DocumentNode;
  readonly requiredArguments: RequiredArguments;
  /** Converts a plan for the subgraphs of `document` to one for the original subgraphs. */
  restore(plan: QueryPlan): QueryPlan;
}

/** The supergraph for the planner: the original, changed where the planner would create plans that give wrong data. The
 *  API schema is that of the original, so that the changes are not visible to clients.
 *
 *  - A key with `resolvable: false` is dropped when the same subgraph has a resolvable key for the type. The planner
 *    would return to the subgraph by the unresolvable key after a `@requires`, and get no data.
 *  - Fields that an `@interfaceObject` computes from inputs move to the implementations, see `expandInterfaceObjects`.
 *  - A field with arguments inside a `@requires` or a `@fromContext` gets a placeholder field, see `RequiredField`. */
export function toPlannerSupergraph(original: DocumentNode): PlannerSupergraph {
  const { document, restore } = expandInterfaceObjects(original);
  const types = compositesOf(document);
  for (const [name, type] of types) types.set(name, dropUnresolvableKeys(type));
  const placeholders = new PlaceholderFields(types, unusedFieldPrefix(types));
  const names = subgraphNamesOf(document);
  const contexts = typesByContext(document);
  replaceEachField(types, (typeName, field) =>
    replaceContextFields(replaceRequires(typeName, field, placeholders, names), placeholders, contexts),
  );
  const definitions = document.definitions.map((definition) =>
    isComposite(definition) ? (types.get(definition.name.value) as CompositeDefinition) : definition,
  );
  const isChanged = definitions.some((definition, index) => definition !== original.definitions[index]);
  return {
    document: isChanged ? { ...original, definitions } : original,
    requiredArguments: placeholders,
    restore,
  };
}

function dropUnresolvableKeys(type: CompositeDefinition): CompositeDefinition {
  const keys = (type.directives ?? []).filter(
    (directive) => directive.name.value === 'join__type' && argumentOf(directive, 'key') !== undefined,
  );
  const resolvable = new Set(
    keys
      .filter((key) => argumentOf(key, 'resolvable') !== 'false')
      .map((directive) => argumentOf(directive, 'graph')),
  );
  const redundant = new Set(
    keys.filter(
      (directive) =>
        argumentOf(directive, 'resolvable') === 'false' && resolvable.has(argumentOf(directive, 'graph')),
    ),
  );
  if (redundant.size === 0) return type;
  return { ...type, directives: (type.directives ?? []).filter((directive) => !redundant.has(directive)) };
}

function replaceEachField(
  types: Map<string, CompositeDefinition>,
  replace: (typeName: string, field: FieldDefinitionNode) => FieldDefinitionNode,
): void {
  // Placeholders are appended to the types during the iteration, and may have a `@requires` themselves.
  const nextIndex = new Map<string, number>();
  for (let isComplete = false; !isComplete; ) {
    isComplete = true;
    for (const name of types.keys()) {
      for (let index = nextIndex.get(name) ?? 0; ; index++) {
        const field = types.get(name)?.fields?.[index];
        nextIndex.set(name, index);
        if (field === undefined) break;
        isComplete = false;
        const replaced = replace(name, field);
        if (replaced === field) continue;
        const type = types.get(name) as CompositeDefinition;
        types.set(name, { ...type, fields: type.fields?.with(index, replaced) ?? [] });
      }
    }
  }
}

function replaceRequires(
  typeName: string,
  field: FieldDefinitionNode,
  placeholders: PlaceholderFields,
  subgraphNames: ReadonlyMap<string, string>,
): FieldDefinitionNode {
  return mapJoins(field, (directive) => {
    const requires = argumentOf(directive, 'requires');
    if (requires === undefined) return directive;
    const subgraph = subgraphNames.get(argumentOf(directive, 'graph') ?? '');
    const value = placeholders.replace(requires, typeName, `${subgraph} ${typeName}.${field.name.value}`);
    return value === requires
      ? directive
      : replaceArgument(directive, 'requires', { kind: Kind.STRING, value });
  });
}

function replaceContextFields(
  field: FieldDefinitionNode,
  placeholders: PlaceholderFields,
  contexts: ReadonlyMap<string, readonly string[]>,
): FieldDefinitionNode {
  return mapJoins(field, (directive) =>
    replaceContextSelections(directive, ({ context, selection }) =>
      placeholders.replaceInContext(selection, contexts.get(context) ?? []),
    ),
  );
}

function mapJoins(
  field: FieldDefinitionNode,
  map: (join: ConstDirectiveNode) => ConstDirectiveNode,
): FieldDefinitionNode {
  const { directives = [] } = field;
  const mapped = directives.map((directive) =>
    directive.name.value === 'join__field' ? map(directive) : directive,
  );
  return mapped.some((directive, index) => directive !== directives[index])
    ? { ...field, directives: mapped }
    : field;
}

/** The prefix begins with an underscore, because no client alias does so in a document for the planner. */
function unusedFieldPrefix(types: ReadonlyMap<string, CompositeDefinition>): string {
  const names = [...types.values()].flatMap(({ fields = [] }) => fields.map(({ name }) => name.value));
  let prefix = '_required';
  while (names.some((name) => name.startsWith(prefix))) prefix += '_';
  return prefix;
}
