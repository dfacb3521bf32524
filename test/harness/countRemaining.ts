import { queryObjects } from 'node:v8';
import { waitForTurns } from './waitForTurns.ts';

const maxCollections = 20;

/** Number of the objects of a class that are still in memory after some garbage collections. One collection alone may still
 *  find an object on the stack, or in a task that has run but is not over. */
export async function countRemaining(objectClass: new (...parameters: never[]) => object): Promise<number> {
  for (let collection = 1; ; collection++) {
    const count = queryObjects(objectClass, { format: 'count' });
    if (count === 0 || collection === maxCollections) return count;
    await waitForTurns();
  }
}
