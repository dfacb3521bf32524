import { type ConstDirectiveNode, type ConstValueNode, type DocumentNode, Kind } from 'graphql';

/** Identity of the specification that has `@cached`, without its version. */
export const tributarySpec = 'https://tributary.dev/spec';

/** Names, without `@`, under which a schema knows `@cached` by its links to the specification. One schema may link
 *  to it several times, as where subgraphs import it under different names. */
export function cachedDirectiveNames(document: DocumentNode): ReadonlySet<string> {
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const directive of definition.directives ?? []) {
      if (directive.name.value !== 'link' || !isLinkToSpec(directive)) continue;
      const namespace = textOf(argumentValue(directive, 'as')) ?? 'spec';
      const imported = importedName(argumentValue(directive, 'import'));
      names.add(`${namespace}__cached`);
      if (imported !== undefined) names.add(imported);
    }
  }
  return names;
}

/** Minor versions only add. */
function isLinkToSpec(link: ConstDirectiveNode): boolean {
  const url = textOf(argumentValue(link, 'url')) ?? '';
  return url.startsWith(`${tributarySpec}/`) && /^v1(\.\d+)?\/?$/.test(url.slice(tributarySpec.length + 1));
}

function importedName(imports: ConstValueNode | undefined): string | undefined {
  if (imports?.kind !== Kind.LIST) return undefined;
  for (const element of imports.values) {
    const name = element.kind === Kind.OBJECT ? memberOf(element, 'name') : textOf(element);
    if (name !== '@cached') continue;
    const alias = element.kind === Kind.OBJECT ? memberOf(element, 'as') : undefined;
    return (alias ?? name).replace(/^@/, '');
  }
  return undefined;
}

function memberOf(object: Extract<ConstValueNode, { kind: Kind.OBJECT }>, name: string): string | undefined {
  return textOf(object.fields.find((field) => field.name.value === name)?.value);
}

function argumentValue(directive: ConstDirectiveNode, name: string): ConstValueNode | undefined {
  return directive.arguments?.find((argument) => argument.name.value === name)?.value;
}

function textOf(value: ConstValueNode | undefined): string | undefined {
  return value?.kind === Kind.STRING ? value.value : undefined;
}
