import { type ConstDirectiveNode, type DocumentNode, type FieldDefinitionNode, Kind } from 'graphql';
import { expandInterfaceObjects } from './expandInterfaceObjects.ts';
import type { QueryPlan } from './queryPlan.ts';
import { PlaceholderFields, type RequiredArguments } from './requiredArguments.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  isComposite,
  subgraphNamesOf,
  withArgument,
} from './supergraphDocument.ts';

interface PlannerSupergraph {
  /** The original itself where nothing had to be changed. */
  readonly document: DocumentNode;
  readonly requiredArguments: RequiredArguments;
  /** Makes a plan of the subgraphs that the document has one of the real ones. */
  restore(plan: QueryPlan): QueryPlan;
}

/** The supergraph as the planner gets it: changed where the planner would make plans that bring wrong data.
 *  Clients never see what is changed; the API schema is that of the original.
 *
 *  - A key with `resolvable: false` is dropped where the same subgraph has a resolvable key for the type: after a
 *    `@requires` the planner would go back into the subgraph by the first one, and get nothing.
 *  - What an `@interfaceObject` computes from inputs belongs to the implementations, see `expandInterfaceObjects`.
 *  - A field with arguments inside a `@requires` becomes a field of its own, see `RequiredField`. */
export function toPlannerSupergraph(original: DocumentNode): PlannerSupergraph {
  const { document, restore } = expandInterfaceObjects(original);
  const types = compositesOf(document);
  for (const [name, type] of types) types.set(name, dropUnresolvableKeys(type));
  const standIns = new PlaceholderFields(types, unusedFieldPrefix(types));
  replaceRequiredFields(types, standIns, subgraphNamesOf(document));
  const definitions = document.definitions.map((definition) =>
    isComposite(definition) ? (types.get(definition.name.value) as CompositeDefinition) : definition,
  );
  const isChanged = definitions.some((definition, index) => definition !== original.definitions[index]);
  return {
    document: isChanged ? { ...original, definitions } : original,
    requiredArguments: standIns,
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
  const dead = new Set(
    keys.filter(
      (directive) =>
        argumentOf(directive, 'resolvable') === 'false' && resolvable.has(argumentOf(directive, 'graph')),
    ),
  );
  if (dead.size === 0) return type;
  return { ...type, directives: (type.directives ?? []).filter((directive) => !dead.has(directive)) };
}

function replaceRequiredFields(
  types: Map<string, CompositeDefinition>,
  standIns: PlaceholderFields,
  subgraphNames: ReadonlyMap<string, string>,
): void {
  // Stand-ins are added while this goes on, and may have a `@requires` of their own.
  const done = new Map<string, number>();
  for (let isComplete = false; !isComplete; ) {
    isComplete = true;
    for (const name of types.keys()) {
      for (let index = done.get(name) ?? 0; ; index++) {
        const field = types.get(name)?.fields?.[index];
        done.set(name, index);
        if (field === undefined) break;
        isComplete = false;
        const replaced = replaceRequiredFieldsOf(name, field, standIns, subgraphNames);
        if (replaced === field) continue;
        const type = types.get(name) as CompositeDefinition;
        types.set(name, { ...type, fields: type.fields?.with(index, replaced) ?? [] });
      }
    }
  }
}

function replaceRequiredFieldsOf(
  typeName: string,
  field: FieldDefinitionNode,
  standIns: PlaceholderFields,
  subgraphNames: ReadonlyMap<string, string>,
): FieldDefinitionNode {
  let isChanged = false;
  const directives = field.directives?.map((directive): ConstDirectiveNode => {
    if (directive.name.value !== 'join__field') return directive;
    const requires = argumentOf(directive, 'requires');
    if (requires === undefined) return directive;
    const subgraph = subgraphNames.get(argumentOf(directive, 'graph') ?? '');
    const value = standIns.replace(requires, typeName, `${subgraph} ${typeName}.${field.name.value}`);
    if (value === requires) return directive;
    isChanged = true;
    return withArgument(directive, 'requires', { kind: Kind.STRING, value });
  });
  return isChanged ? { ...field, ...(directives === undefined ? {} : { directives }) } : field;
}

/** Clients' aliases never start with an underscore in what the planner sees. */
function unusedFieldPrefix(types: ReadonlyMap<string, CompositeDefinition>): string {
  const names = [...types.values()].flatMap(({ fields = [] }) => fields.map(({ name }) => name.value));
  let prefix = '_required';
  while (names.some((name) => name.startsWith(prefix))) prefix += '_';
  return prefix;
}
