import { type ConstDirectiveNode, type ConstValueNode, type DocumentNode, Kind } from 'graphql';

interface LinkedSpec {
  /** Whether a link with this URL is to the specification. */
  isSpec(url: string): boolean;
  /** The prefix of directives that are not imported, unless the link has `as`. */
  readonly defaultPrefix: string;
}

/** Names without `@` under which a schema has a directive of a specification that it links to. `name`: the name in the
 *  specification. A supergraph may link to the specification several times, when subgraphs import the directive under
 *  different names. */
export function linkedDirectiveNames(
  document: DocumentNode,
  name: string,
  { isSpec, defaultPrefix }: LinkedSpec,
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const link of definition.directives ?? []) {
      if (link.name.value !== 'link') continue;
      const argumentsByName = nonNullArgumentsOf(link);
      if (!isSpec(textOf(argumentsByName.get('url')) ?? '')) continue;
      const imported = importedName(argumentsByName.get('import'), `@${name}`);
      const prefix = textOf(argumentsByName.get('as')) ?? defaultPrefix;
      names.add(`${prefix}__${name}`);
      if (imported !== undefined) names.add(imported);
      // The directive with the name of its specification needs no import.
      else if (name === defaultPrefix) names.add(prefix);
    }
  }
  return names;
}

/** Arguments of a directive by name. Null arguments count as omitted. */
export function nonNullArgumentsOf(directive: ConstDirectiveNode): ReadonlyMap<string, ConstValueNode> {
  const argumentsByName = new Map<string, ConstValueNode>();
  for (const { name, value } of directive.arguments ?? []) {
    if (value.kind !== Kind.NULL) argumentsByName.set(name.value, value);
  }
  return argumentsByName;
}

function importedName(imports: ConstValueNode | undefined, wanted: string): string | undefined {
  if (imports?.kind !== Kind.LIST) return undefined;
  for (const element of imports.values) {
    const name = element.kind === Kind.OBJECT ? memberOf(element, 'name') : textOf(element);
    if (name !== wanted) continue;
    const alias = element.kind === Kind.OBJECT ? memberOf(element, 'as') : undefined;
    return (alias ?? name).replace(/^@/, '');
  }
  return undefined;
}

function memberOf(object: Extract<ConstValueNode, { kind: Kind.OBJECT }>, name: string): string | undefined {
  return textOf(object.fields.find((field) => field.name.value === name)?.value);
}

function textOf(value: ConstValueNode | undefined): string | undefined {
  return value?.kind === Kind.STRING ? value.value : undefined;
}
