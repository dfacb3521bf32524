import type { DocumentNode, SourceLocation } from 'graphql';
import { GraphQLError, parse, Source, TokenKind } from 'graphql';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';

interface ParseGraphQLOptions {
  readonly text: string;
  /** Name of the file for locations, as the user would write it. */
  readonly file: string;
  /** Rule of the finding when the text does not parse. */
  readonly rule: 'schema-unparseable' | 'operation-unparseable';
  readonly subgraph?: string | undefined;
}

/** Parses a text. Returns the document, or why it cannot be used. */
export function parseGraphQL(
  options: ParseGraphQLOptions,
): { readonly document: DocumentNode } | { readonly problem: Finding } {
  const { text, file, rule, subgraph } = options;
  const refuse = (message: string, { line, column }: SourceLocation = { line: 1, column: 1 }) => ({
    problem: createFinding(rule, { message, location: { file, line, column }, subgraph }),
  });
  try {
    const document = parse(new Source(text, file));
    const tooDeep = findTooDeep(document);
    return tooDeep === undefined
      ? { document }
      : refuse(`The text is nested more than ${maxNesting} levels deep.`, tooDeep);
  } catch (error) {
    if (isStackOverflow(error)) return refuse('The text is nested too deep to be parsed.');
    if (!(error instanceof GraphQLError)) throw error;
    return refuse(error.message, error.locations?.[0]);
  }
}

/** Nesting that composer and planner can process without a stack overflow. Gateways refuse operations long before. */
const maxNesting = 1000;

/** The first bracket beyond the limit. */
function findTooDeep({ loc }: DocumentNode): Token | undefined {
  let depth = 0;
  for (let token = loc?.startToken; token != null; token = token.next ?? undefined) {
    if (opening.has(token.kind)) depth += 1;
    else if (closing.has(token.kind)) depth -= 1;
    if (depth > maxNesting) return token;
  }
  return undefined;
}

const opening: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const closing: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

/** The parser is recursive. Errors of the engine need not be instances of this realm's `RangeError`. */
function isStackOverflow(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'RangeError';
}

/** Where a node of a document begins. */
export function locationOf(node: {
  readonly loc?: { readonly startToken: Token; readonly source: Source } | undefined;
}): FileLocation {
  const file = node.loc?.source.name ?? '';
  const { line, column } = node.loc?.startToken ?? { line: 1, column: 1 };
  return { file, line, column };
}

interface Token {
  readonly line: number;
  readonly column: number;
}
