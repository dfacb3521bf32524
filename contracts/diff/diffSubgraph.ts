import type { SubgraphContract } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { type RuleId, ruleOf } from '../rules.ts';
import { withoutCredentials } from '../store/readCandidates.ts';
import { placeholderUrl } from '../store/schemaFile.ts';
import { directiveChanges } from './directives/directiveChanges.ts';
import { fileLocationAt, locateCoordinate, startOfFile } from './locateCoordinate.ts';
import { schemaChanges } from './schemaChanges.ts';
import type { SubgraphChange } from './subgraphChange.ts';
import { readSubgraphVersion } from './subgraphVersion.ts';

/** Compares two versions of a subgraph's contract, and rates the changes as far as this subgraph alone can tell.
 *  `undefined` is a subgraph that does not exist. Locations are in the new file. An SDL that cannot be used is
 *  reported instead of the changes: `subgraph-unparseable` or `subgraph-invalid` for the new one,
 *  `baseline-not-composed` for the old one. */
export async function diffSubgraph(
  old: SubgraphContract | undefined,
  next: SubgraphContract | undefined,
): Promise<readonly Finding[]> {
  if (old === undefined)
    return next === undefined
      ? []
      : [wholeSubgraphFinding('subgraph-added', next, `The subgraph ${next.name} is new`)];
  if (next === undefined)
    return [wholeSubgraphFinding('subgraph-removed', old, `The subgraph ${old.name} is gone`)];
  if (old.sdl === next.sdl) return [];
  const before = readSubgraphVersion(old);
  const after = readSubgraphVersion(next);
  if (!('schema' in after)) return after;
  if (!('schema' in before)) return before.slice(0, 1).map(repairedBaselineFinding);
  const changes = [...(await schemaChanges(before, after)), ...directiveChanges(before, after)];
  return [...urlFindings(old, next), ...changes.map((change) => toFinding(change, next))];
}

/** A URL that was not known before is no change of an address. */
function urlFindings(old: SubgraphContract, next: SubgraphContract): readonly Finding[] {
  if (old.url === next.url || old.url === placeholderUrl(old.name)) return [];
  const before = withoutCredentials(old.url);
  const message =
    next.url === placeholderUrl(next.name)
      ? `The URL of ${next.name} is not known any more; it was ${before}`
      : `The URL of ${next.name} changed from ${before} to ${withoutCredentials(next.url)}`;
  return [wholeSubgraphFinding('subgraph-url-changed', next, message)];
}

function repairedBaselineFinding({ message, subgraph, location }: Finding): Finding {
  return createFinding('baseline-not-composed', {
    message: `The changes of ${subgraph} are not known: ${message}`,
    advice:
      'Nothing to do: this version is valid. To see the changes, compare with an earlier version (--against).',
    subgraph,
    location,
  });
}

function toFinding(change: SubgraphChange, next: SubgraphContract): Finding {
  const { rule, severity, message, coordinate, node } = change;
  return {
    rule,
    severity,
    message,
    advice: adviceFor(change),
    subgraph: next.name,
    coordinate,
    location: node?.loc === undefined ? locateCoordinate(next, coordinate) : fileLocationAt(next, node.loc),
  };
}

/** An optional input, and a type that clients of the old one can use, need no correction. */
function adviceFor({ rule, severity }: SubgraphChange): string | undefined {
  const isOptional = (rule === 'argument-added' || rule === 'input-field-added') && severity !== 'breaking';
  const isCompatible = compatibleTypeRules.has(rule) && severity === 'safe';
  return ruleOf(isOptional || isCompatible ? 'field-added' : rule).advice;
}

const compatibleTypeRules: ReadonlySet<RuleId> = new Set([
  'field-type-changed',
  'argument-type-changed',
  'input-field-type-changed',
]);

function wholeSubgraphFinding(
  rule: 'subgraph-added' | 'subgraph-removed' | 'subgraph-url-changed',
  contract: SubgraphContract,
  message: string,
): Finding {
  return createFinding(rule, { message, subgraph: contract.name, location: startOfFile(contract) });
}
