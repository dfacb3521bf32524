import { type GraphQLSchema, isObjectType } from 'graphql';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { createRandom } from '../../subgraphs/shared/random.ts';

/** Fields of object types but those of the roots, about one in so many. */
const oneIn = 3;

/** `enrichment` of a configuration in which fields of the schema may come late, whatever they are. */
export function generateEnrichments(schema: GraphQLSchema, seed: number): GatewayOptions['enrichment'] {
  const random = createRandom(seed);
  const roots = new Set<unknown>([
    schema.getQueryType(),
    schema.getMutationType(),
    schema.getSubscriptionType(),
  ]);
  const coordinates = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && !type.name.startsWith('__') && !roots.has(type)
      ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)
      : [],
  );
  const chosen = coordinates.filter(() => random.next() < 1 / oneIn);
  return {
    mode: 'always',
    fields: Object.fromEntries(chosen.map((coordinate) => [coordinate, { budget: '0ms' }])),
    // What fails is tried again, from the snapshot of the first answer, and fails again.
    jobs: { attempts: 2, budgetRatio: 1, backoff: { base: '1ms', max: '1ms' } },
  };
}
