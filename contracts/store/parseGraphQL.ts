import type { DocumentNode, SourceLocation } from 'graphql';
import { GraphQLError, parse, Source } from 'graphql';
import { checkNesting } from '../../gateway/planning/checkNesting.ts';
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
    // Gateways refuse operations that are nested less.
    checkNesting(text);
    return { document: parse(new Source(text, file)) };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return refuse(error.message, error.locations?.[0]);
  }
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
