import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, validate } from 'graphql';

interface CheckedDocument {
  readonly document: DocumentNode | null;
  /** Why the document must not be executed. Empty for a valid document. */
  readonly errors: readonly GraphQLError[];
}

/** Parses and validates each text once. When the cache is full, it drops the oldest texts. */
export function createDocumentCache(
  schema: GraphQLSchema,
  maxEntries: number,
): (query: string) => CheckedDocument {
  const checked = new Map<string, CheckedDocument>();

  function check(query: string): CheckedDocument {
    try {
      const document = parse(query, { noLocation: true });
      return { document, errors: validate(schema, document) };
    } catch (error) {
      if (error instanceof GraphQLError) return { document: null, errors: [error] };
      throw error;
    }
  }

  return (query) => {
    const known = checked.get(query);
    if (known !== undefined) return known;
    const fresh = check(query);
    checked.set(query, fresh);
    if (checked.size > maxEntries) checked.delete(checked.keys().next().value as string);
    return fresh;
  };
}
