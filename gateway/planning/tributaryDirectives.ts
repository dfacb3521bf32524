import { type ConstDirectiveNode, type ConstValueNode, type DocumentNode, Kind } from 'graphql';
import { isComposite } from './supergraphDocument.ts';

/** URL of the specification of the gateway's own directives, without the version. */
export const tributarySpecUrl = 'https://tributary.dev/spec';

/** One application of a directive on a type or on a field. */
interface DirectiveUse {
  readonly type: string;
  /** `undefined` for the type itself. */
  readonly field: string | undefined;
  /** `Type` or `Type.field`. */
  readonly coordinate: string;
  readonly directive: ConstDirectiveNode;
}

/** Applications of one of the specification's directives on object types, interfaces and their fields. `name` is the
 *  name in the specification without `@`; the schema may import it under another name. */
export function* usesOfDirective(document: DocumentNode, name: string): Generator<DirectiveUse> {
  const names = namesOfDirective(document, name);
  if (names.size === 0) return;
  for (const definition of document.definitions) {
    if (!isComposite(definition)) continue;
    const type = definition.name.value;
    for (const directive of definition.directives ?? []) {
      if (names.has(directive.name.value)) yield { type, field: undefined, coordinate: type, directive };
    }
    for (const { name: fieldName, directives } of definition.fields ?? []) {
      const field = fieldName.value;
      for (const directive of directives ?? []) {
        if (names.has(directive.name.value)) yield { type, field, coordinate: `${type}.${field}`, directive };
      }
    }
  }
}

/** Arguments of a directive by name. Null arguments count as omitted. */
export function nonNullArgumentsOf(directive: ConstDirectiveNode): ReadonlyMap<string, ConstValueNode> {
  const argumentsByName = new Map<string, ConstValueNode>();
  for (const { name, value } of directive.arguments ?? []) {
    if (value.kind !== Kind.NULL) argumentsByName.set(name.value, value);
  }
  return argumentsByName;
}

/** Names without `@` under which a schema imports a directive of the specification. A supergraph may link to the
 *  specification several times, when subgraphs import the directive under different names. */
function namesOfDirective(document: DocumentNode, name: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const link of definition.directives ?? []) {
      if (link.name.value !== 'link') continue;
      const argumentsByName = nonNullArgumentsOf(link);
      if (!isSpec(textOf(argumentsByName.get('url')) ?? '')) continue;
      const imported = importedName(argumentsByName.get('import'), `@${name}`);
      names.add(`${textOf(argumentsByName.get('as')) ?? 'spec'}__${name}`);
      if (imported !== undefined) names.add(imported);
    }
  }
  return names;
}

/** Every version 1.x is accepted, because minor versions are backward compatible. */
function isSpec(url: string): boolean {
  return (
    url.startsWith(`${tributarySpecUrl}/`) && /^v1(\.\d+)?\/?$/.test(url.slice(tributarySpecUrl.length + 1))
  );
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
