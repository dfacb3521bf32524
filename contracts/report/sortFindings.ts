import type { Finding } from '../finding.ts';
import { severitiesWorstFirst } from '../severity.ts';

/** Sorts by severity, then subgraph, then location, with waived findings last. The order does not depend on the order
 *  of the input. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(compareFindings);
}

function compareFindings(one: Finding, other: Finding): number {
  return (
    Number(one.waivedBy !== undefined) - Number(other.waivedBy !== undefined) ||
    severitiesWorstFirst.indexOf(one.severity) - severitiesWorstFirst.indexOf(other.severity) ||
    compareText(one.subgraph, other.subgraph) ||
    compareText(one.location?.file, other.location?.file) ||
    (one.location?.line ?? 0) - (other.location?.line ?? 0) ||
    (one.location?.column ?? 0) - (other.location?.column ?? 0) ||
    compareText(one.coordinate, other.coordinate) ||
    compareText(one.rule, other.rule) ||
    compareText(one.message, other.message)
  );
}

// By code units: a locale-dependent order would differ between machines.
function compareText(one = '', other = ''): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
