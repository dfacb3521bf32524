import { randomUUID } from 'node:crypto';

const workerSuffix = /\.([1-9]\d{0,8})$/;

/** Makes ids that are not to be guessed: 122 random bits, and the name of the worker that gives them out, if there are
 *  several. */
export function createIdGenerator(worker: string | undefined): () => string {
  return worker === undefined ? () => randomUUID() : () => `${randomUUID()}.${worker}`;
}

/** The worker that an id names, which may never have been. Digits, so that it is safe in a path. */
export function workerOf(id: string): string | undefined {
  return workerSuffix.exec(id)?.[1];
}
