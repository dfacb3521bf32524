import { createHash } from 'node:crypto';
import type { Finding } from '../finding.ts';

/** One per finding, by which a platform knows it again in the next run. Lines and columns do not count, so that it
 *  stays the same when something above it moves, nor does the wording where there is a coordinate. Equal ones are
 *  numbered: a platform shows only the first of each. */
export function fingerprintsOf(findings: readonly Finding[]): string[] {
  const seen = new Map<string, number>();
  return findings.map(({ rule, subgraph, coordinate, location, message }) => {
    const what = [rule, subgraph, coordinate, location?.file, coordinate === undefined ? message : ''];
    const key = JSON.stringify(what);
    const number = seen.get(key) ?? 0;
    seen.set(key, number + 1);
    return createHash('sha256').update(`${number} ${key}`).digest('hex').slice(0, 32);
  });
}
