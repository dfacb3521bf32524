import {
  type ASTNode,
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type InterfaceTypeDefinitionNode,
  Kind,
  type NameNode,
  type ObjectTypeDefinitionNode,
  parse,
  parseConstValue,
  parseType,
  print,
  type TypeNode,
  visit,
} from 'graphql';
import { readSubgraphVersion } from '../../../../contracts/diff/subgraphVersion.ts';
import type { Random } from '../../../../subgraphs/shared/random.ts';
import { composeOnce } from '../../../harness/shared/compositions.ts';
import type { Contracts } from './goldenGraph.ts';

/** Imports every directive that random changes use, into all subgraphs. */
export function importAll(contracts: Contracts): Contracts {
  return new Map(
    [...contracts].map(([name, contract]) => {
      const [before = '', used = ''] = /federation\/v2\.9",?\s+import: \[([^\]]*)\]/.exec(contract.sdl) ?? [];
      const names = new Set([...(JSON.parse(`[${used}]`) as string[]), ...imports]);
      const sdl = contract.sdl.replace(before, `federation/v2.9", import: ${JSON.stringify([...names])}`);
      return [name, { ...contract, sdl }];
    }),
  );
}

const imports = [
  '@composeDirective',
  '@cost',
  '@external',
  '@inaccessible',
  '@interfaceObject',
  '@key',
  '@listSize',
  '@override',
  '@provides',
  '@requires',
  '@shareable',
  '@tag',
];

/** One to three changes of random elements. The subgraphs stay valid, and most of the graphs compose. */
export async function changeRandomly(contracts: Contracts, random: Random): Promise<Contracts> {
  const count = random.pick([1, 1, 1, 2, 3]);
  const mayFail = random.chance(0.15);
  for (;;) {
    let changed = contracts;
    for (let index = 0; index < count; index += 1) changed = changeElement(changed, random);
    const next = [...changed.values()];
    if (contracts.values().every(({ name, sdl }) => changed.get(name)?.sdl === sdl)) continue;
    if (!next.every((contract) => 'schema' in readSubgraphVersion(contract))) continue;
    if (mayFail || 'sdl' in (await composeOnce(next))) return changed;
  }
}

/** The lines that two versions do not have in common. */
export function describeChanges(before: Contracts, after: Contracts): string {
  return [...before]
    .flatMap(([name, contract]) => {
      const [old, next] = [contract, after.get(name)].map((one) => lines(one?.sdl));
      const removed = old?.filter((line) => !next?.includes(line)).map((line) => `- ${line}`) ?? [];
      const added = next?.filter((line) => !old?.includes(line)).map((line) => `+ ${line}`) ?? [];
      return removed.length + added.length === 0 ? [] : [name, ...removed, ...added];
    })
    .join('\n');
}

/** With the type of each field, and in one layout. */
function lines(sdl: string | undefined): readonly string[] {
  let holder = '';
  if (sdl === undefined) return [];
  return print(parse(sdl))
    .split('\n')
    .map((line) => {
      if (!line.startsWith(' ')) holder = line;
      return line.startsWith(' ') ? `${holder} ${line.trim()}` : line;
    });
}

function changeElement(contracts: Contracts, random: Random): Contracts {
  const contract = random.pick([...contracts.values()]);
  if (random.chance(0.02)) return new Map([...contracts].filter(([name]) => name !== contract.name));
  const document = parse(contract.sdl, { noLocation: true });
  const { kind, change } = random.pick(changes);
  const nodes: ASTNode[] = [];
  visit(document, {
    enter: (node) => {
      if (ignored.has(node.kind) || ('name' in node && ignoredTypes.has(node.name?.value ?? '')))
        return false;
      if (node.kind === kind) nodes.push(node);
      return undefined;
    },
  });
  if (nodes.length === 0) return contracts;
  const node = random.pick(nodes);
  const changed = change(node as never, random, { contracts, document });
  if (changed === undefined) return contracts;
  const sdl = print(visit(document, { enter: (other) => (other === node ? changed : undefined) }));
  return new Map(contracts).set(contract.name, { ...contract, sdl });
}

const ignored: ReadonlySet<string> = new Set([Kind.DIRECTIVE_DEFINITION, Kind.SCHEMA_EXTENSION]);
const ignoredTypes: ReadonlySet<string> = new Set([
  'CacheScope',
  'EnrichmentPriority',
  'cached',
  'enrichment',
]);

interface Surroundings {
  readonly contracts: Contracts;
  readonly document: DocumentNode;
}

interface ElementChange {
  readonly kind: Kind;
  /** Returns the changed node, `null` to remove the node, and `undefined` when the change does not apply to it. */
  change(node: ASTNode, random: Random, around: Surroundings): ASTNode | null | undefined;
}

type NodeOf<Name extends Kind> = Extract<ASTNode, { readonly kind: Name }>;

function on<Name extends Kind>(
  kind: Name,
  change: (node: NodeOf<Name>, random: Random, around: Surroundings) => ASTNode | null | undefined,
): ElementChange {
  return { kind, change: change as ElementChange['change'] };
}

const remove = (): null => null;

const changes: readonly ElementChange[] = [
  on(Kind.FIELD_DEFINITION, remove),
  on(Kind.FIELD_DEFINITION, (field, random) => ({ ...field, type: changeType(field.type, random) })),
  on(Kind.FIELD_DEFINITION, (field, random) => ({ ...field, type: toggleNonNull(field.type, random) })),
  on(Kind.FIELD_DEFINITION, (field, random) => {
    const text = random.pick(['limit: Int', 'limit: Int!', 'limit: [Int!]!']);
    return { ...field, arguments: [...(field.arguments ?? []), ...fieldFrom(`f(${text}): Int`).arguments] };
  }),
  on(Kind.FIELD_DEFINITION, (field, random) =>
    toggleDirective(field, random.pick(['@shareable', '@inaccessible', '@external', '@deprecated', tag])),
  ),
  on(Kind.INPUT_VALUE_DEFINITION, remove),
  on(Kind.INPUT_VALUE_DEFINITION, (input, random) => ({ ...input, type: changeType(input.type, random) })),
  on(Kind.INPUT_VALUE_DEFINITION, (input, random) => ({ ...input, type: toggleNonNull(input.type, random) })),
  on(Kind.INPUT_VALUE_DEFINITION, (input) => {
    const values: Readonly<Record<string, string>> = { Int: '7', String: '"s"', ID: '"id-7"', Day: 'TODAY' };
    const value = values[print(input.type).replace('!', '')];
    const { defaultValue, ...rest } = input;
    if (defaultValue !== undefined) return rest;
    return value === undefined ? undefined : { ...input, defaultValue: parseConstValue(value) };
  }),
  on(Kind.INPUT_VALUE_DEFINITION, ({ defaultValue, ...input }) => {
    const [other] = otherDefaults.filter(
      ([one]) => defaultValue !== undefined && one.test(print(defaultValue)),
    );
    return other && { ...input, defaultValue: parseConstValue(other[1]) };
  }),
  on(Kind.INPUT_VALUE_DEFINITION, hideOrTag),
  on(Kind.ENUM_VALUE_DEFINITION, hideOrTag),
  on(Kind.ENUM_TYPE_DEFINITION, hideOrTag),
  on(Kind.INPUT_OBJECT_TYPE_DEFINITION, hideOrTag),
  on(Kind.INTERFACE_TYPE_DEFINITION, hideOrTag),
  on(Kind.UNION_TYPE_DEFINITION, hideOrTag),
  on(Kind.SCALAR_TYPE_DEFINITION, hideOrTag),
  on(Kind.ENUM_TYPE_DEFINITION, (type, random) => {
    // Mock subgraphs return the first value.
    const [first, ...others] = type.values ?? [];
    return first && { ...type, values: [first, ...random.sample(others, others.length - 1)] };
  }),
  on(Kind.ENUM_TYPE_DEFINITION, (type) => ({
    ...type,
    values: [...(type.values ?? []), { kind: Kind.ENUM_VALUE_DEFINITION, name: nameOf('EXTRA') }],
  })),
  on(Kind.UNION_TYPE_DEFINITION, (union, random) => ({
    ...union,
    types: random.sample(union.types ?? [], (union.types?.length ?? 0) - 1),
  })),
  on(Kind.UNION_TYPE_DEFINITION, (union, random, { document }) => {
    const others = objectTypesOf(document).filter(
      ({ name }) =>
        !/^(Query|Mutation|Subscription)$/.test(name.value) &&
        !union.types?.some((member) => member.name.value === name.value),
    );
    const [added] = random.sample(others, 1);
    return (
      added && { ...union, types: [...(union.types ?? []), { kind: Kind.NAMED_TYPE, name: added.name }] }
    );
  }),
  on(Kind.OBJECT_TYPE_DEFINITION, remove),
  on(Kind.OBJECT_TYPE_DEFINITION, (type) => ({ ...type, interfaces: [] })),
  on(Kind.OBJECT_TYPE_DEFINITION, (type, random, { document }) => {
    const others = document.definitions.filter((other) => other.kind === Kind.INTERFACE_TYPE_DEFINITION);
    const [{ name, fields = [] } = type] = random.sample(others, 1);
    const missing = fields.filter(
      (field) => !type.fields?.some((own) => own.name.value === field.name.value),
    );
    return {
      ...type,
      interfaces: [...(type.interfaces ?? []), { kind: Kind.NAMED_TYPE, name }],
      fields: [...(type.fields ?? []), ...missing],
    };
  }),
  on(Kind.OBJECT_TYPE_DEFINITION, (type, random, { contracts }) => requireField(type, random, contracts)),
  on(Kind.OBJECT_TYPE_DEFINITION, (type) => toggleDirective(type, '@interfaceObject')),
  on(Kind.DOCUMENT, (document, random, { contracts }) => provideField(document, random, contracts)),
  on(Kind.DOCUMENT, (document, random) => addMember(document, random)),
  on(Kind.OBJECT_TYPE_DEFINITION, (type) => toggleDirective(type, '@inaccessible')),
  on(Kind.OBJECT_TYPE_DEFINITION, (type) => toggleDirective(type, '@shareable')),
  on(Kind.OBJECT_TYPE_DEFINITION, (type, random, { contracts }) => copyField(type, random, contracts)),
  on(Kind.OBJECT_TYPE_DEFINITION, (type, random, { contracts }) => copyField(type, random, contracts)),
  on(Kind.OBJECT_TYPE_DEFINITION, (type, random) => {
    const leaves = (type.fields ?? []).filter(({ type: one }) => /^(ID|Int|String)!$/.test(print(one)));
    if (leaves.length === 0) return undefined;
    const key = `@key(fields: "${random.pick(leaves).name.value}")`;
    return { ...type, directives: [...(type.directives ?? []), directiveFrom(key)] };
  }),
  on(Kind.INTERFACE_TYPE_DEFINITION, (type, random) => {
    const field = fieldFrom(random.pick(['id: ID!', 'title: String', 'extra: Int']));
    return { ...type, fields: [...(type.fields ?? []), field] };
  }),
  on(Kind.INPUT_OBJECT_TYPE_DEFINITION, (type) => toggleDirective(type, '@oneOf')),
  on(Kind.INPUT_OBJECT_TYPE_DEFINITION, (type, random) => {
    const [field] = fieldFrom(`f(${random.pick(['extra: Int', 'extra: Int!'])}): Int`).arguments;
    return { ...type, fields: [...(type.fields ?? []), ...(field === undefined ? [] : [field])] };
  }),
  on(Kind.DIRECTIVE, ({ name }) => (changeable.has(name.value) ? null : undefined)),
  on(Kind.DIRECTIVE, (directive, random) => {
    if (directive.name.value !== 'key') return undefined;
    return directiveFrom(`${print(directive).slice(0, -1)}, resolvable: ${random.chance(0.5)})`);
  }),
  on(Kind.DIRECTIVE, (directive) => {
    if (directive.name.value !== 'override') return undefined;
    const [text, start] = [print(directive), /.*(?=, label)/.exec(print(directive))?.[0]];
    return directiveFrom(`${start ?? `${text.slice(0, -1)}, label: "percent(50)"`})`);
  }),
  on(Kind.DIRECTIVE, (directive, random) => {
    const text = /^@(?:key|requires|provides)\(fields: "(.*)"\)$/.exec(print(directive))?.[1];
    if (text === undefined || text.includes('{')) return undefined;
    const words = random.chance(0.5)
      ? [...text.split(' '), random.pick(['id', 'title', 'format', 'minutes', 'released', 'name'])]
      : text.split(' ').slice(1);
    return directiveFrom(`@${directive.name.value}(fields: "${[...new Set(words)].join(' ')}")`);
  }),
];

const changeable: ReadonlySet<string> = new Set([
  'key',
  'shareable',
  'external',
  'requires',
  'provides',
  'override',
  'inaccessible',
  'interfaceObject',
]);

const tag = '@tag(name: "a")';

function hideOrTag<Node extends Parameters<typeof toggleDirective>[0]>(node: Node, random: Random): Node {
  return toggleDirective(node, random.pick(['@inaccessible', '@inaccessible', tag]));
}

/** The first value that applies, by the text of a default value. */
const otherDefaults: readonly (readonly [RegExp, string])[] = [
  [/^\d+$/, '1'],
  [/^TITLE$/, 'SCORE'],
];

function changeType(type: TypeNode, random: Random): TypeNode {
  const text = print(type);
  const named = /\w+/.exec(text)?.[0] ?? '';
  const others: Readonly<Record<string, readonly string[]>> = {
    Int: ['Float', 'String', 'ID'],
    Float: ['Int', 'String'],
    String: ['ID', 'Int'],
    ID: ['String', 'Int'],
    Film: ['Series'],
    Titled: ['Film', 'Series', 'SearchHit'],
    SearchHit: ['Film', 'Titled'],
  };
  const renamed = others[named];
  const choices = [
    text.startsWith('[') ? text.replace(/^\[(.*)\]!?$/, '$1') : `[${text}]`,
    ...(renamed === undefined ? [] : [text.replace(named, random.pick(renamed))]),
  ];
  return parseType(random.pick(choices), { noLocation: true });
}

/** Of the type, or of the elements of a list. */
function toggleNonNull(type: TypeNode, random: Random): TypeNode {
  const inner = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
  if (inner.kind === Kind.LIST_TYPE && random.chance(0.5)) {
    const list: TypeNode = { ...inner, type: toggleNonNull(inner.type, random) };
    return type.kind === Kind.NON_NULL_TYPE ? { ...type, type: list } : list;
  }
  return type.kind === Kind.NON_NULL_TYPE ? inner : { kind: Kind.NON_NULL_TYPE, type: inner as never };
}

/** Adds a field that the same type has in another subgraph. */
function copyField(type: ObjectTypeDefinitionNode, random: Random, contracts: Contracts) {
  const [missing] = random.sample(missingFieldsOf(type, contracts), 1);
  if (missing === undefined) return undefined;
  const { from, field } = missing;
  const directive = random.pick([
    '@shareable',
    '@external',
    `@override(from: "${from}")`,
    `@override(from: "${from}", label: "percent(5)")`,
  ]);
  return { ...type, fields: [...(type.fields ?? []), withDirective(field, directive)] };
}

function missingFieldsOf({ name: type, fields: own }: ObjectTypeDefinitionNode, contracts: Contracts) {
  return [...contracts.values()].flatMap(({ name, sdl }) =>
    objectTypesOf(parse(sdl, { noLocation: true }))
      .filter((other) => other.name.value === type.value)
      .flatMap(({ fields = [] }) => fields.map((field) => ({ from: name, field })))
      .filter(({ field }) => !own?.some((one) => one.name.value === field.name.value)),
  );
}

function withDirective(field: FieldDefinitionNode, directive: string): FieldDefinitionNode {
  return { ...field, directives: [directiveFrom(directive)] };
}

/** Computes a field from one that the same type has in another subgraph. */
function requireField(type: ObjectTypeDefinitionNode, random: Random, contracts: Contracts) {
  const { fields = [] } = type;
  const [missing] = random.sample(missingFieldsOf(type, contracts), 1);
  const [computed] = random.sample(fields, 1);
  if (missing === undefined || computed === undefined) return undefined;
  const requires = directiveFrom(`@requires(fields: "${missing.field.name.value}")`);
  const { directives = [] } = computed;
  return {
    ...type,
    fields: [
      ...fields.map((field) =>
        field === computed ? { ...field, directives: [...directives, requires] } : field,
      ),
      withDirective(missing.field, '@external'),
    ],
  };
}

/** Provides a field that another subgraph shares. */
function provideField(
  document: DocumentNode,
  random: Random,
  contracts: Contracts,
): DocumentNode | undefined {
  const types = objectTypesOf(document);
  const [provided] = random.sample(
    types.flatMap((type) => missingFieldsOf(type, contracts).map(({ field }) => ({ type, field }))),
    1,
  );
  const [provider] = random.sample(
    types.flatMap(({ fields = [] }) =>
      fields.filter(({ type }) => /\w+/.exec(print(type))?.[0] === provided?.type.name.value),
    ),
    1,
  );
  if (provided === undefined || provider === undefined) return undefined;
  const { type: holder, field } = provided;
  const provides = directiveFrom(`@provides(fields: "${field.name.value}")`);
  return visit(document, {
    [Kind.FIELD_DEFINITION]: (node: FieldDefinitionNode) =>
      node === provider ? { ...node, directives: [...(node.directives ?? []), provides] } : undefined,
    [Kind.OBJECT_TYPE_DEFINITION]: {
      leave: (node: ObjectTypeDefinitionNode) =>
        node.name.value === holder.name.value
          ? { ...node, fields: [...(node.fields ?? []), withDirective(field, '@external')] }
          : undefined,
    },
  });
}

/** Adds a type to an interface. */
function addMember(document: DocumentNode, random: Random): DocumentNode | undefined {
  const interfaces = document.definitions.filter(({ kind }) => kind === Kind.INTERFACE_TYPE_DEFINITION);
  const [other] = random.sample(interfaces, 1) as InterfaceTypeDefinitionNode[];
  if (other === undefined) return undefined;
  const text = print({
    ...other,
    directives: other.directives?.filter(({ name }) => name.value === 'key') ?? [],
  });
  const member = text.replace(/(".*"\s+)?interface (\w+)/, 'type Another implements $2');
  return {
    ...document,
    definitions: [...document.definitions, ...parse(member, { noLocation: true }).definitions],
  };
}

function objectTypesOf({ definitions }: DocumentNode): readonly ObjectTypeDefinitionNode[] {
  return definitions.filter((definition) => definition.kind === Kind.OBJECT_TYPE_DEFINITION);
}

function toggleDirective<Node extends { readonly directives?: readonly ConstDirectiveNode[] | undefined }>(
  node: Node,
  text: string,
): Node {
  const directive = directiveFrom(text);
  const others = (node.directives ?? []).filter(({ name }) => name.value !== directive.name.value);
  const isThere = others.length < (node.directives?.length ?? 0);
  return { ...node, directives: isThere ? others : [...others, directive] };
}

function directiveFrom(text: string): ConstDirectiveNode {
  return fieldFrom(`f: Int ${text}`).directives[0] as ConstDirectiveNode;
}

function fieldFrom(
  text: string,
): FieldDefinitionNode & Required<Pick<FieldDefinitionNode, 'arguments' | 'directives'>> {
  const [type] = objectTypesOf(parse(`type T { ${text} }`, { noLocation: true }));
  const [field] = type?.fields ?? [];
  return {
    ...(field as FieldDefinitionNode),
    arguments: field?.arguments ?? [],
    directives: field?.directives ?? [],
  };
}

function nameOf(value: string): NameNode {
  return { kind: Kind.NAME, value };
}
