import type { DocumentNode } from 'graphql';
import { GraphQLError, parse, Source } from 'graphql';
import type { Finding, Place } from '../finding.ts';
import { problem } from './problem.ts';

export interface ParseGraphQLOptions {
  readonly text: string;
  /** As the user would write it; it stands in every place of the document. */
  readonly file: string;
  /** Of the problem, where the text does not parse. */
  readonly rule: string;
  readonly advice: string;
  readonly subgraph?: string | undefined;
}

/** The document, or why there is none. */
export function parseGraphQL(
  options: ParseGraphQLOptions,
): { readonly document: DocumentNode } | { readonly problem: Finding } {
  const { text, file, rule, advice, subgraph } = options;
  try {
    return { document: parse(new Source(text, file)) };
  } catch (error) {
    if (isTooDeep(error)) {
      const message = 'It is nested too deep to be read.';
      return { problem: problem({ rule, message, advice, place: { file, line: 1, column: 1 }, subgraph }) };
    }
    if (!(error instanceof GraphQLError)) throw error;
    const { line, column } = error.locations?.[0] ?? { line: 1, column: 1 };
    const place = { file, line, column };
    return { problem: problem({ rule, message: error.message, advice, place, subgraph }) };
  }
}

/** The parser goes down into what it reads, and so does its stack. Errors of the engine need not be instances of this
 *  context's `RangeError`. */
function isTooDeep(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'RangeError';
}

/** Where a part of a document begins. */
export function placeOf(node: {
  readonly loc?: { readonly startToken: Token; readonly source: Source } | undefined;
}): Place {
  const file = node.loc?.source.name ?? '';
  const { line, column } = node.loc?.startToken ?? { line: 1, column: 1 };
  return { file, line, column };
}

interface Token {
  readonly line: number;
  readonly column: number;
}
