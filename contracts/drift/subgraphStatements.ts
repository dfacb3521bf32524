import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  isTypeDefinitionNode,
  Kind,
  parse,
  print,
  type TypeDefinitionNode,
} from 'graphql';
import { argumentOf, joinsOf, subgraphNamesOf } from '../../gateway/planning/supergraphDocument.ts';

/** What a supergraph says about each subgraph, as statements by coordinate. */
export type SubgraphStatements = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Reads what the join directives of a supergraph say about each subgraph, without addresses, descriptions and order,
 *  and without what belongs to no single subgraph, such as tags. This compares two supergraphs. It cannot compare a
 *  supergraph with a subgraph's SDL, because composition drops and rewrites parts of the SDL. */
export function readSubgraphStatements(sdl: string): SubgraphStatements {
  const document = parse(sdl, { noLocation: true });
  const reader = new StatementReader(subgraphNamesOf(document));
  for (const definition of document.definitions) reader.read(definition);
  return reader.result;
}

/** Coordinates whose statements differ, by subgraph. Subgraphs without differences are omitted. */
export function diffSubgraphStatements(
  first: SubgraphStatements,
  second: SubgraphStatements,
): ReadonlyMap<string, readonly string[]> {
  const differences = new Map<string, readonly string[]>();
  for (const subgraph of new Set([...first.keys(), ...second.keys()])) {
    const [before, after] = [first.get(subgraph) ?? new Map(), second.get(subgraph) ?? new Map()];
    const coordinates = [...new Set([...before.keys(), ...after.keys()])].filter(
      (coordinate) => before.get(coordinate) !== after.get(coordinate),
    );
    if (coordinates.length > 0) differences.set(subgraph, coordinates.sort());
  }
  return differences;
}

class StatementReader {
  readonly #names: ReadonlyMap<string, string>;
  readonly #statements = new Map<string, Map<string, string[]>>();

  constructor(names: ReadonlyMap<string, string>) {
    this.#names = names;
    for (const name of names.values()) this.#statements.set(name, new Map());
  }

  get result(): SubgraphStatements {
    return new Map(
      Array.from(this.#statements, ([subgraph, statements]) => [
        subgraph,
        new Map(
          Array.from(statements, ([coordinate, texts]) => [
            coordinate,
            [...new Set(texts)].sort().join('\n'),
          ]),
        ),
      ]),
    );
  }

  read(definition: DefinitionNode): void {
    if (!isTypeDefinitionNode(definition)) return;
    const { value: name } = definition.name;
    const joins = joinsOf(definition, 'join__type');
    for (const join of joins) this.#addStatement(join, name, definition.kind);
    for (const join of joinsOf(definition, 'join__implements')) this.#addStatement(join, name);
    for (const join of joinsOf(definition, 'join__unionMember')) this.#addStatement(join, name);
    for (const { part, text } of membersOf(definition)) {
      const coordinate = `${name}.${part.name.value}`;
      const own = [...joinsOf(part, 'join__field'), ...joinsOf(part, 'join__enumValue')];
      // A field without join directives is resolved by every subgraph that has the type.
      for (const join of own.length > 0 ? own : joins.map(toJoinField))
        this.#addStatement(join, coordinate, text);
    }
  }

  #addStatement(join: ConstDirectiveNode, coordinate: string, text = ''): void {
    const statements = this.#statements.get(this.#names.get(argumentOf(join, 'graph') ?? '') ?? '');
    if (statements === undefined) return;
    const details = (join.arguments ?? [])
      // It makes no difference whether a type is written as an extension.
      .filter(({ name }) => name.value !== 'graph' && name.value !== 'extension')
      .map((argument) => print(argument))
      .sort();
    const texts = [text, join.name.value, ...details].join(' ');
    statements.set(coordinate, [...(statements.get(coordinate) ?? []), texts]);
  }
}

type TypeMember = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode;

function membersOf(
  type: TypeDefinitionNode,
): readonly { readonly part: TypeMember; readonly text: string }[] {
  switch (type.kind) {
    case Kind.ENUM_TYPE_DEFINITION:
      return (type.values ?? []).map((part) => ({ part, text: '' }));
    case Kind.INPUT_OBJECT_TYPE_DEFINITION:
      return (type.fields ?? []).map((part) => ({ part, text: printInput(part) }));
    case Kind.OBJECT_TYPE_DEFINITION:
    case Kind.INTERFACE_TYPE_DEFINITION:
      return (type.fields ?? []).map((part) => ({
        part,
        text: `(${(part.arguments ?? []).map(printInput).sort().join(', ')}): ${print(part.type)}`,
      }));
    default:
      return [];
  }
}

function printInput({ name, type, defaultValue }: InputValueDefinitionNode): string {
  const preset = defaultValue === undefined ? '' : ` = ${print(defaultValue)}`;
  return `${name.value}: ${print(type)}${preset}`;
}

/** The directive that the composer omits when it would say the same as that of the type. */
function toJoinField(join: ConstDirectiveNode): ConstDirectiveNode {
  const name = { ...join.name, value: 'join__field' };
  return { ...join, name, arguments: join.arguments?.filter(({ name }) => name.value === 'graph') ?? [] };
}
