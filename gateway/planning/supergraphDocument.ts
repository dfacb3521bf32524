import {
  type ConstDirectiveNode,
  type ConstValueNode,
  type DefinitionNode,
  type DocumentNode,
  type InterfaceTypeDefinitionNode,
  isTypeDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  type ObjectValueNode,
  OperationTypeNode,
  parse,
  print,
  type SelectionSetNode,
  type TypeNode,
  type ValueNode,
  visit,
} from 'graphql';
import { linkedDirectiveNames } from './linkedDirectives.ts';

// Reads the definitions of a supergraph document, and reads and creates its `@join__` directives.

export type CompositeDefinition = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

export function isComposite(definition: DefinitionNode): definition is CompositeDefinition {
  return (
    definition.kind === Kind.OBJECT_TYPE_DEFINITION || definition.kind === Kind.INTERFACE_TYPE_DEFINITION
  );
}

export function compositesOf(document: DocumentNode): Map<string, CompositeDefinition> {
  const types = new Map<string, CompositeDefinition>();
  for (const definition of document.definitions) {
    if (isComposite(definition)) types.set(definition.name.value, definition);
  }
  return types;
}

/** Names of the root types by operation type. */
export function rootTypesOf(document: DocumentNode): ReadonlyMap<OperationTypeNode, string> {
  const schema = document.definitions.find((definition) => definition.kind === Kind.SCHEMA_DEFINITION);
  return schema === undefined
    ? new Map([
        [OperationTypeNode.QUERY, 'Query'],
        [OperationTypeNode.MUTATION, 'Mutation'],
        [OperationTypeNode.SUBSCRIPTION, 'Subscription'],
      ])
    : new Map(schema.operationTypes.map(({ operation, type }) => [operation, type.name.value]));
}

/** Subgraph names by the values of `join__Graph`. */
export function subgraphNamesOf(document: DocumentNode): ReadonlyMap<string, string> {
  return new Map(subgraphAddressesOf(document).map(({ value, name }) => [value, name]));
}

/** Names and addresses of the subgraphs, with their values of `join__Graph`. */
export function subgraphAddressesOf(
  document: DocumentNode,
): { readonly value: string; readonly name: string; readonly url: string }[] {
  return document.definitions.flatMap((definition) => {
    if (definition.kind !== Kind.ENUM_TYPE_DEFINITION || definition.name.value !== 'join__Graph') return [];
    return (definition.values ?? []).map(({ name: { value }, directives }) => {
      const join = directives?.find((directive) => directive.name.value === 'join__graph');
      const argument = (name: string) => join && argumentOf(join, name);
      return { value, name: argument('name') ?? value, url: argument('url') ?? '' };
    });
  });
}

/** The applications of one directive, such as `join__field`. */
export function joinsOf(
  { directives = [] }: { readonly directives?: readonly ConstDirectiveNode[] | undefined },
  name: string,
): readonly ConstDirectiveNode[] {
  return directives.filter((directive) => directive.name.value === name);
}

/** Whether a `@join__field` of an implementation means that an `@interfaceObject` provides the field. */
export function isOfInterfaceObject({ name, arguments: given = [] }: ConstDirectiveNode): boolean {
  return name.value === 'join__field' && given.length === 0;
}

/** A directive argument as text. Strings are unquoted. */
export function argumentOf(directive: ConstDirectiveNode, name: string): string | undefined {
  // A loop, and no `print` for the usual kinds: loading a supergraph reads a hundred thousand arguments.
  for (const { name: given, value } of directive.arguments ?? []) {
    if (given.value !== name) continue;
    if (value.kind === Kind.STRING || value.kind === Kind.ENUM) return value.value;
    return value.kind === Kind.BOOLEAN ? String(value.value) : print(value);
  }
  return undefined;
}

/** An application of a `@join__` directive. */
export function joinDirective(
  name: string,
  given: {
    readonly graph: string;
    readonly key?: string;
    readonly requires?: string;
    readonly external?: true;
  },
): ConstDirectiveNode {
  const { graph, key, requires, external } = given;
  const values: [string, ConstValueNode | undefined][] = [
    ['graph', { kind: Kind.ENUM, value: graph }],
    ['key', key === undefined ? undefined : { kind: Kind.STRING, value: key }],
    ['requires', requires === undefined ? undefined : { kind: Kind.STRING, value: requires }],
    ['external', external === undefined ? undefined : { kind: Kind.BOOLEAN, value: external }],
  ];
  return {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: name },
    arguments: values.flatMap(([argument, value]) =>
      value === undefined ? [] : [{ kind: Kind.ARGUMENT, name: { kind: Kind.NAME, value: argument }, value }],
    ),
  };
}

/** A suffix that no graph name contains, for the names of added graphs. It is valid in operation names. */
export function unusedGraphSuffix(document: DocumentNode): string {
  const names = [...subgraphNamesOf(document)].flat();
  let suffix = '__concrete';
  while (names.some((name) => name.includes(suffix))) suffix += '_';
  return suffix;
}

/** Replaces the value of one argument of a directive. */
export function replaceArgument(
  directive: ConstDirectiveNode,
  name: string,
  value:
    | { readonly kind: Kind.STRING; readonly value: string }
    | { readonly kind: Kind.ENUM; readonly value: string },
): ConstDirectiveNode {
  return {
    ...directive,
    arguments: (directive.arguments ?? []).map((given) =>
      given.name.value === name ? { ...given, value } : given,
    ),
  };
}

/** Parses the field set of a `@requires`, `@provides`, `@key` or `@fromContext`, which may be in braces. `undefined` for
 *  an absent or blank field set. */
export function parseFieldSet(fieldSet: string | undefined): SelectionSetNode | undefined {
  const text = fieldSet?.trim() ?? '';
  if (text === '') return undefined;
  const [operation] = parse(text.startsWith('{') ? text : `{${text}}`, { noLocation: true }).definitions;
  return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : undefined;
}

/** The names of the types that set each context. */
export function typesByContext(document: DocumentNode): ReadonlyMap<string, readonly string[]> {
  const types = new Map<string, string[]>();
  const names = linkedDirectiveNames(document, 'context', {
    isSpec: (url) => url.startsWith('https://specs.apollo.dev/context/'),
    defaultPrefix: 'context',
  });
  for (const definition of document.definitions) {
    if (!isTypeDefinitionNode(definition)) continue;
    for (const directive of definition.directives ?? []) {
      if (!names.has(directive.name.value)) continue;
      const context = argumentOf(directive, 'name') ?? '';
      types.set(context, [...(types.get(context) ?? []), definition.name.value]);
    }
  }
  return types;
}

interface ContextArgument {
  /** Of the argument. */
  readonly name: string;
  readonly context: string;
  /** A field set. */
  readonly selection: string;
}

/** The `@fromContext` arguments of a field with this `@join__field`. */
export function contextArgumentsOf(join: ConstDirectiveNode): ContextArgument[] {
  const given = join.arguments?.find(({ name }) => name.value === 'contextArguments')?.value;
  if (given?.kind !== Kind.LIST) return [];
  return given.values.flatMap((value) => readContextArgument(value) ?? []);
}

/** Replaces the selections of the `@fromContext` arguments of a field with this `@join__field`. */
export function replaceContextSelections(
  join: ConstDirectiveNode,
  replace: (argument: ContextArgument) => string,
): ConstDirectiveNode {
  if (contextArgumentsOf(join).length === 0) return join;
  return visit(join, {
    [Kind.OBJECT]: (value): ObjectValueNode | undefined => {
      const argument = readContextArgument(value);
      const text = argument && replace(argument);
      if (text === undefined || text === argument?.selection) return undefined;
      const fields = value.fields.map((field) =>
        field.name.value === 'selection'
          ? { ...field, value: { kind: Kind.STRING, value: text } as const }
          : field,
      );
      return { ...value, fields };
    },
  });
}

function readContextArgument(value: ValueNode): ContextArgument | undefined {
  if (value.kind !== Kind.OBJECT) return undefined;
  const member = (name: string) => value.fields.find((field) => field.name.value === name)?.value;
  const [name, context, selection] = [member('name'), member('context'), member('selection')];
  if (name?.kind !== Kind.STRING || context?.kind !== Kind.STRING || selection?.kind !== Kind.STRING)
    return undefined;
  return { name: name.value, context: context.value, selection: selection.value };
}

export function implementsInterface(type: CompositeDefinition | undefined, interfaceName: string): boolean {
  return type?.interfaces?.some(({ name }) => name.value === interfaceName) ?? false;
}

/** The name of the type of a field or a variable, without list and non-null wrappers. */
export function namedTypeOf({ type }: { readonly type: TypeNode }): string {
  let current = type;
  while (current.kind !== Kind.NAMED_TYPE) current = current.type;
  return current.name.value;
}
