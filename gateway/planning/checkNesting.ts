import { GraphQLError, Lexer, Source, TokenKind } from 'graphql';

/** Nesting that parser, composer and planner, which are recursive, process without a stack overflow. */
const maxNesting = 1000;

/** Checks the brackets of a text before it is parsed. Does not recurse.
 *  @throws {GraphQLError} at the first bracket that is nested too deep, or for a text that is not GraphQL. */
export function checkNesting(text: string): void {
  const source = new Source(text);
  const lexer = new Lexer(source);
  let depth = 0;
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    if (opening.has(token.kind)) depth += 1;
    else if (closing.has(token.kind)) depth -= 1;
    if (depth > maxNesting) {
      throw new GraphQLError(`The text is nested more than ${maxNesting} levels deep.`, {
        source,
        positions: [token.start],
      });
    }
  }
}

const opening: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const closing: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);
