import { isRawNumber } from './exactJson.ts';

/** A deep copy of a parsed JSON value. `structuredClone` does not copy raw numbers. */
export function copyJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return value;
  if (Array.isArray(value)) return value.map(copyJson);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copyJson(member)]));
}
