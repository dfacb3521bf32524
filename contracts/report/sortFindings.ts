import type { Finding } from '../finding.ts';
import { severitiesWorstFirst } from '../severity.ts';

/** Sorts by severity, then subgraph, then location, with waived findings last. The order does not depend on the order
 *  of the input. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(compareFindings);
}

function compareFindings(a: Finding, b: Finding): number {
  return (
    Number(a.waivedBy !== undefined) - Number(b.waivedBy !== undefined) ||
    severitiesWorstFirst.indexOf(a.severity) - severitiesWorstFirst.indexOf(b.severity) ||
    compareText(a.subgraph, b.subgraph) ||
    compareText(a.location?.file, b.location?.file) ||
    (a.location?.line ?? 0) - (b.location?.line ?? 0) ||
    (a.location?.column ?? 0) - (b.location?.column ?? 0) ||
    compareText(a.coordinate, b.coordinate) ||
    compareText(a.rule, b.rule) ||
    compareText(a.message, b.message)
  );
}

// By code units: a locale-dependent order would differ between machines.
function compareText(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
