import { argumentValues } from './argumentValues.ts';
import type { OperationOptions } from './generateOperation.ts';

/** Options for generating operations over the demo graph. */
export const demoOperations: OperationOptions = {
  argumentValues,
  aliases: ['upc', 'code', 'slug', 'username', 'product', 'warehouse', 'price', 'averageRating', 'brand'],
  // These root fields have no limit on their size, and therefore none on the size of the response.
  selectionProbability: { 'Query.warehouses': 0.3 },
};
