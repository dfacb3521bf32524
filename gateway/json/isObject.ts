import { isRawNumber } from './exactJson.ts';

/** Whether a parsed JSON value is an object, and no array, `null` or raw number. */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  // Raw numbers have no prototype. For an object with one, this takes a fraction of the time of `isRawNumber`.
  return value instanceof Object || !isRawNumber(value);
}
