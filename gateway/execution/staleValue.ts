import type { ResponsePath } from '../errors.ts';
import type { Staleness } from './fetchCall.ts';

/** A field whose value is older than its rule says. */
export interface StaleValue extends Staleness {
  /** Of the field, in internal names. */
  readonly path: ResponsePath;
  /** The delivery group whose payload carries it. */
  readonly group: number;
}
