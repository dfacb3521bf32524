import { type ConstDirectiveNode, type ConstValueNode, type DocumentNode, Kind } from 'graphql';

/** A `@link` of a subgraph: the names by which it knows the elements of a specification. */
export interface Link {
  /** The URL as written. */
  readonly url: string;
  /** The URL without version. */
  readonly identity: string;
  /** The last segment of the identity. */
  readonly name: string;
  /** Such as `2.9`; empty when the URL has none. */
  readonly version: string;
  /** The prefix before `__` of names that are not imported. */
  readonly namespace: string;
  /** Names in the specification by names in the subgraph. Directives include `@`. */
  readonly imports: ReadonlyMap<string, string>;
  readonly node: ConstDirectiveNode;
}

const linkIdentity = 'https://specs.apollo.dev/link';

/** The links of a subgraph, without the one to the specification of `@link` itself. */
export function readLinks(document: DocumentNode): readonly Link[] {
  const applied = schemaDirectives(document);
  const bootstrap = applied.find((node) => urlOf(node).startsWith(`${linkIdentity}/`));
  const linkName = bootstrap?.name.value ?? 'link';
  return applied
    .filter((node) => node.name.value === linkName)
    .map(readLink)
    .filter((link) => link.identity !== linkIdentity);
}

/** Directives on the schema definition and its extensions. */
export function schemaDirectives(document: DocumentNode): readonly ConstDirectiveNode[] {
  return document.definitions.flatMap((definition) =>
    definition.kind === Kind.SCHEMA_DEFINITION || definition.kind === Kind.SCHEMA_EXTENSION
      ? (definition.directives ?? [])
      : [],
  );
}

/** The value of a directive's argument; `undefined` when it is omitted or `null`. */
export function argumentValueOf(directive: ConstDirectiveNode, name: string): ConstValueNode | undefined {
  const value = directive.arguments?.find((argument) => argument.name.value === name)?.value;
  return value?.kind === Kind.NULL ? undefined : value;
}

/** The text of a string or enum value. */
export function textValueOf(value: ConstValueNode | undefined): string | undefined {
  return value?.kind === Kind.STRING || value?.kind === Kind.ENUM ? value.value : undefined;
}

function readLink(node: ConstDirectiveNode): Link {
  const url = urlOf(node);
  const [, identity = url, version = ''] = /^(.*?)\/v(\d+(?:\.\d+)?)\/?$/.exec(url) ?? [];
  const name = identity.slice(identity.lastIndexOf('/') + 1);
  const namespace = textValueOf(argumentValueOf(node, 'as')) ?? name;
  return {
    url,
    identity,
    name,
    version,
    namespace,
    imports: readImports(argumentValueOf(node, 'import')),
    node,
  };
}

function readImports(value: ConstValueNode | undefined): ReadonlyMap<string, string> {
  const imports = new Map<string, string>();
  for (const element of value?.kind === Kind.LIST ? value.values : []) {
    const member = (key: string): string | undefined =>
      element.kind === Kind.OBJECT
        ? textValueOf(element.fields.find((field) => field.name.value === key)?.value)
        : undefined;
    const name = textValueOf(element) ?? member('name');
    if (name !== undefined) imports.set(member('as') ?? name, name);
  }
  return imports;
}

function urlOf(node: ConstDirectiveNode): string {
  return textValueOf(argumentValueOf(node, 'url')) ?? '';
}
