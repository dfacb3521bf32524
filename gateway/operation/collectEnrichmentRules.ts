import { type DocumentNode, type GraphQLSchema, Kind, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { EnrichmentRule } from './enrichmentRule.ts';

/** The distinct enrichment rules of all fields in a valid document. */
export function collectEnrichmentRules(
  schema: GraphQLSchema,
  document: DocumentNode,
  choice: { ruleOf(parentType: string, fieldName: string): EnrichmentRule | undefined },
): readonly EnrichmentRule[] {
  const rules = new Set<EnrichmentRule>();
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.FIELD]: ({ name }) => {
        const parent = types.getParentType();
        const rule = parent == null ? undefined : choice.ruleOf(parent.name, name.value);
        if (rule !== undefined) rules.add(rule);
      },
    }),
  );
  return [...rules];
}
