import { argumentValues } from './argumentValues.ts';
import type { OperationOptions } from './generateOperation.ts';

/** How operations over the demo graph are generated. */
export const demoOperations: OperationOptions = {
  argumentValues,
  aliases: ['upc', 'code', 'slug', 'username', 'product', 'warehouse', 'price', 'averageRating', 'brand'],
  // Root fields without a bound on their size, and with it on that of the answer.
  selectionProbability: { 'Query.warehouses': 0.3 },
};
