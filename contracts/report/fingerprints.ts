import { hash } from 'node:crypto';
import type { Finding } from '../finding.ts';

/** One fingerprint per finding, by which platforms recognise it in the next run. It ignores lines and columns, so
 *  that moved code keeps it, and ignores the message of a finding with a coordinate. Equal findings are numbered,
 *  because platforms show only the first finding of a fingerprint. */
export function fingerprintsOf(findings: readonly Finding[]): string[] {
  const seen = new Map<string, number>();
  return findings.map(({ rule, subgraph, coordinate, location, message }) => {
    const what = [rule, subgraph, coordinate, location?.file, coordinate === undefined ? message : ''];
    const key = JSON.stringify(what);
    const number = seen.get(key) ?? 0;
    seen.set(key, number + 1);
    return hash('sha256', `${number} ${key}`, 'hex').slice(0, 32);
  });
}
