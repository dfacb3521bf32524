import { findNearestName } from '../../gateway/config/findNearestName.ts';
import type { Contracts } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';

/** A name that no contract has is reported with the contract that it is similar to. */
export function unknownSubgraph(name: string, known: Contracts, directory: string): Finding {
  const names = [...known.keys()];
  const nearest = findNearestName(name, names);
  return createFinding('argument-invalid', {
    message: `${directory} has no contract of a subgraph "${name}"; ${names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`}.`,
    advice: nearest === undefined ? 'Name one of them.' : `Did you mean ${nearest}?`,
    subgraph: name,
  });
}

/** Adds to findings which contract a name in the arguments may be meant for. A subgraph that has no contract and
 *  composes with the others is new. One that does not compose and has a similar name is most likely misspelled. */
export function suggestSubgraphs(
  findings: readonly Finding[],
  given: Iterable<string>,
  known: Contracts,
): readonly Finding[] {
  const isComposed = findings.every(({ rule }) => rule !== 'composition-error');
  const nearest = new Map(
    [...given].flatMap((name): [string, string][] => {
      const similar = known.has(name) ? undefined : findNearestName(name, [...known.keys()]);
      return similar === undefined ? [] : [[name, similar]];
    }),
  );
  const suggested = findings.map((finding) => {
    const isAboutNew = finding.rule === 'subgraph-added' || finding.rule === 'contract-missing';
    const similar = isAboutNew ? nearest.get(finding.subgraph ?? '') : undefined;
    return similar === undefined
      ? finding
      : { ...finding, advice: `If it is not new, did you mean ${similar}? ${finding.advice}` };
  });
  if (isComposed) return suggested;
  return [...suggested, ...Array.from(nearest, ([name, similar]) => misspelledSubgraph(name, similar))];
}

function misspelledSubgraph(name: string, similar: string): Finding {
  return createFinding('argument-invalid', {
    message: `There is no contract of a subgraph "${name}", and it does not compose as a new one.`,
    advice: `Did you mean ${similar}?`,
    subgraph: name,
  });
}
