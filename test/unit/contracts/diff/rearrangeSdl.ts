import {
  type DefinitionNode,
  Kind,
  Lexer,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  Source,
  type StringValueNode,
  TokenKind,
  visit,
} from 'graphql';

/** Chooses a number from 0 below `count`. */
type Choose = (count: number) => number;

/** Rewrites an SDL without changing its meaning: another order, types split into extensions, other descriptions,
 *  white space, commas and comments. */
export function rearrangeSdl(sdl: string, choose: Choose): string {
  const document = visit(parse(sdl, { noLocation: true }), {
    leave: (node) =>
      Object.fromEntries(
        Object.entries(node).map(([member, value]) => {
          if (member === 'description') return [member, choose(2) === 0 ? undefined : description(choose)];
          const isOrdered = node.kind === Kind.LIST;
          return [member, Array.isArray(value) && !isOrdered ? shuffle(value, choose) : value];
        }),
      ),
  });
  const definitions = document.definitions.flatMap((definition: DefinitionNode) => cut(definition, choose));
  return respace(print({ ...document, definitions: shuffle(definitions, choose) }), choose);
}

function shuffle<T>(list: readonly T[], choose: Choose): T[] {
  const left = [...list];
  return list.flatMap(() => left.splice(choose(left.length), 1));
}

function description(choose: Choose): StringValueNode {
  return { kind: Kind.STRING, value: `Text ${choose(100)}`, block: choose(2) === 0 };
}

function cut(definition: DefinitionNode, choose: Choose): readonly DefinitionNode[] {
  if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION || isForItsFields(definition)) return [definition];
  const { fields = [], directives = [] } = definition;
  const field = choose(fields.length + 1);
  const directive = choose(directives.length + 1);
  const extension: DefinitionNode = {
    kind: Kind.OBJECT_TYPE_EXTENSION,
    name: definition.name,
    directives: directives.slice(directive),
    fields: fields.slice(field),
  };
  const isEmpty = extension.directives?.length === 0 && extension.fields?.length === 0;
  const rest = {
    ...definition,
    directives: directives.slice(0, directive),
    fields: fields.slice(0, field),
  };
  return isEmpty ? [definition] : [rest, extension];
}

/** `@shareable` on a type applies to the fields in the same definition. */
function isForItsFields({ directives = [] }: ObjectTypeDefinitionNode): boolean {
  return directives.some(({ name }) => name.value === 'shareable');
}

const spaces = [' ', '\n', '\t', ',', ', ', '\n\n  ', ' # a comment\n'];

function respace(sdl: string, choose: Choose): string {
  const lexer = new Lexer(new Source(sdl));
  let text = '';
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    text += `${spaces[choose(spaces.length)]}${sdl.slice(token.start, token.end)}`;
  }
  return text;
}
