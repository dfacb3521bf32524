import { type GraphQLSchema, isObjectType } from 'graphql';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { createRandom } from '../../subgraphs/shared/random.ts';

/** About one field of object types in this many is an enrichment, root types excluded. */
const oneIn = 3;

/** Generates a configuration's `enrichment` section, in which fields of the schema may be deferred. */
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
    // A failed job runs again from the snapshot of the first response, and fails again.
    jobs: { attempts: 2, budgetRatio: 1, backoff: { base: '1ms', max: '1ms' } },
  };
}
