import type { ResponsePath } from '../../errors.ts';

/** Tells the places of one answer apart. */
export function responsePathKey(path: ResponsePath): string {
  return JSON.stringify(path);
}
