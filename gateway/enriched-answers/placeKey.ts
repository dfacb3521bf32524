import type { ResponsePath } from '../errors.ts';

/** Tells the places of one answer apart. */
export function placeKey(path: ResponsePath): string {
  return JSON.stringify(path);
}
