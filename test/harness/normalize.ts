import {
  buildSchema,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import { coerceVariables } from '../../gateway/operation/coerceVariables.ts';
import { InternalNames } from '../../gateway/operation/internalNames.ts';
import {
  type FindEnrichmentRule,
  type NormalizedOperation,
  normalizeOperation,
} from '../../gateway/operation/normalizeOperation.ts';
import { printOperation } from '../../gateway/operation/printOperation.ts';

const deferDefinition =
  'directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT\n';

export function schemaOf(sdl: string): GraphQLSchema {
  return buildSchema(deferDefinition + sdl);
}

interface NormalizeTestOptions {
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly defer?: boolean;
  readonly maxSelections?: number;
  readonly enrichmentOf?: FindEnrichmentRule;
}

/** Normalizes a valid operation. All field names of the schema count as field names of the supergraph. */
export function normalizeText(
  schema: GraphQLSchema,
  text: string,
  { variables = {}, defer = true, maxSelections = 1000, enrichmentOf }: NormalizeTestOptions = {},
): NormalizedOperation & { readonly operation: OperationDefinitionNode } {
  const document = parse(text);
  const [problem] = validate(schema, document);
  if (problem !== undefined) throw problem;
  const operation = getOperationAST(document) as OperationDefinitionNode;
  const coerced = coerceVariables(schema, operation, variables, 1000);
  if (coerced.kind === 'refused') throw coerced.errors[0];
  const names = new Set(
    Object.values(schema.getTypeMap()).flatMap((type) =>
      'getFields' in type ? Object.keys(type.getFields()) : [],
    ),
  );
  return {
    operation,
    ...normalizeOperation({
      schema,
      document,
      operation,
      booleanVariables: coerced.values,
      internalNames: new InternalNames({ fields: names }),
      maxSelections,
      isDeferEnabled: defer,
      findEnrichmentRule: enrichmentOf,
    }),
  };
}

/** Rules with a budget of 0 ms for the fields at these coordinates. */
export function enrichmentsAt(...coordinates: string[]): FindEnrichmentRule {
  return (parentType, fieldName) => {
    const coordinate = `${parentType}.${fieldName}`;
    return coordinates.includes(coordinate) ? { coordinate, budgetMs: 0, priority: 'NORMAL' } : undefined;
  };
}

/** Prints the operation as the planner receives it. */
export function printNormalized(
  schema: GraphQLSchema,
  text: string,
  options: NormalizeTestOptions = {},
): string | undefined {
  const normalized = normalizeText(schema, text, options);
  return printOperation(normalized.operation, normalized.root, { includesDefer: options.defer ?? true });
}
