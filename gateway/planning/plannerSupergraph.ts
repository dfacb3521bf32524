import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  parse,
  print,
} from 'graphql';
import { type CompositeDefinition, type RequiredArguments, StandIns } from './requiredArguments.ts';

export interface PlannerSupergraph {
  /** `undefined` where the original does. */
  readonly sdl: string | undefined;
  readonly required: RequiredArguments;
}

/** The supergraph as the planner gets it: changed where the planner would make plans that bring wrong data.
 *  Clients never see what is changed; the API schema is that of the original.
 *
 *  - A key with `resolvable: false` is dropped where the same subgraph has a resolvable key for the type: after a
 *    `@requires` the planner would go back into the subgraph by the first one, and get nothing.
 *  - A field with arguments inside a `@requires` becomes a field of its own, see `RequiredField`. */
export function toPlannerSupergraph(sdl: string): PlannerSupergraph {
  const document = parse(sdl, { noLocation: true });
  const types = new Map<string, CompositeDefinition>();
  for (const definition of document.definitions) {
    if (isComposite(definition)) types.set(definition.name.value, withoutDeadKeys(definition));
  }
  const standIns = new StandIns(types, unusedPrefix(sdl));
  replaceRequires(types, standIns, subgraphNamesOf(document));
  const definitions = document.definitions.map((definition) =>
    isComposite(definition) ? (types.get(definition.name.value) as CompositeDefinition) : definition,
  );
  const isChanged = definitions.some((definition, index) => definition !== document.definitions[index]);
  return { sdl: isChanged ? print({ ...document, definitions }) : undefined, required: standIns };
}

function isComposite(definition: DefinitionNode): definition is CompositeDefinition {
  return (
    definition.kind === Kind.OBJECT_TYPE_DEFINITION || definition.kind === Kind.INTERFACE_TYPE_DEFINITION
  );
}

function withoutDeadKeys(type: CompositeDefinition): CompositeDefinition {
  const keys = (type.directives ?? []).filter(
    (directive) => directive.name.value === 'join__type' && argument(directive, 'key') !== undefined,
  );
  const resolvable = new Set(
    keys
      .filter((key) => argument(key, 'resolvable') !== 'false')
      .map((directive) => argument(directive, 'graph')),
  );
  const dead = new Set(
    keys.filter(
      (directive) =>
        argument(directive, 'resolvable') === 'false' && resolvable.has(argument(directive, 'graph')),
    ),
  );
  if (dead.size === 0) return type;
  return { ...type, directives: (type.directives ?? []).filter((directive) => !dead.has(directive)) };
}

function replaceRequires(
  types: Map<string, CompositeDefinition>,
  standIns: StandIns,
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
        const replaced = replaceInField(name, field, standIns, subgraphNames);
        if (replaced === field) continue;
        const type = types.get(name) as CompositeDefinition;
        types.set(name, { ...type, fields: type.fields?.with(index, replaced) ?? [] });
      }
    }
  }
}

function replaceInField(
  typeName: string,
  field: FieldDefinitionNode,
  standIns: StandIns,
  subgraphNames: ReadonlyMap<string, string>,
): FieldDefinitionNode {
  let isChanged = false;
  const directives = field.directives?.map((directive): ConstDirectiveNode => {
    if (directive.name.value !== 'join__field') return directive;
    const requires = argument(directive, 'requires');
    if (requires === undefined) return directive;
    const subgraph = subgraphNames.get(argument(directive, 'graph') ?? '');
    const value = standIns.replace(requires, typeName, `${subgraph} ${typeName}.${field.name.value}`);
    if (value === requires) return directive;
    isChanged = true;
    return {
      ...directive,
      arguments: (directive.arguments ?? []).map((given) =>
        given.name.value === 'requires' ? { ...given, value: { kind: Kind.STRING, value } } : given,
      ),
    };
  });
  return isChanged ? { ...field, ...(directives === undefined ? {} : { directives }) } : field;
}

/** By the values of `join__Graph`. */
function subgraphNamesOf(document: DocumentNode): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.ENUM_TYPE_DEFINITION || definition.name.value !== 'join__Graph') continue;
    for (const value of definition.values ?? []) {
      const join = value.directives?.find((directive) => directive.name.value === 'join__graph');
      names.set(value.name.value, (join && argument(join, 'name')) ?? value.name.value);
    }
  }
  return names;
}

/** A directive's argument as text: strings without their quotes. */
function argument(directive: ConstDirectiveNode, name: string): string | undefined {
  const value = directive.arguments?.find((given) => given.name.value === name)?.value;
  if (value === undefined) return undefined;
  return value.kind === Kind.STRING || value.kind === Kind.ENUM ? value.value : print(value);
}

/** Clients' aliases never start with an underscore in what the planner sees. */
function unusedPrefix(sdl: string): string {
  let prefix = '_required';
  while (sdl.includes(prefix)) prefix += '_';
  return prefix;
}
