import type { SubgraphRuleId } from '../../rules.ts';
import type { Severity } from '../../severity.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import { ancestorsOf } from '../elements.ts';
import { fieldPathsOf } from '../fieldSet.ts';
import { createChange, type FixedChangeRuleId, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

interface Marker {
  /** Its canonical name. */
  readonly directive: string;
  readonly added: SubgraphRuleId;
  readonly removed: FixedChangeRuleId;
  readonly severityWhenAdded: Severity;
  /** Severity on an element that is new in this subgraph but may exist in others. Undefined: not reported. */
  readonly severityWhenNew: Severity | undefined;
}

const markers: readonly Marker[] = [
  {
    directive: 'federation__shareable',
    added: 'shareable-added',
    removed: 'shareable-removed',
    severityWhenAdded: 'safe',
    severityWhenNew: undefined,
  },
  {
    directive: 'federation__external',
    added: 'external-added',
    removed: 'external-removed',
    severityWhenAdded: 'breaking',
    severityWhenNew: undefined,
  },
  {
    directive: 'federation__inaccessible',
    added: 'inaccessible-added',
    removed: 'inaccessible-removed',
    severityWhenAdded: 'breaking',
    severityWhenNew: 'safe',
  },
  {
    directive: 'federation__authenticated',
    added: 'authenticated-added',
    removed: 'authenticated-removed',
    severityWhenAdded: 'breaking',
    severityWhenNew: 'dangerous',
  },
  {
    directive: 'oneOf',
    added: 'one-of-added',
    removed: 'one-of-removed',
    severityWhenAdded: 'breaking',
    severityWhenNew: undefined,
  },
];

/** Compares directives without arguments. */
export function markerChanges(pair: ElementPair): readonly SubgraphChange[] {
  return markers.flatMap((marker) => markerChange(pair, marker));
}

function markerChange(pair: ElementPair, marker: Marker): readonly SubgraphChange[] {
  const { coordinate } = pair;
  const [old, next] = singleApplicationsOf(pair, marker.directive);
  const name = marker.directive.replace('federation__', '');
  if (old === undefined && next !== undefined) {
    const { added: rule, severityWhenAdded, severityWhenNew } = marker;
    const severityOfExisting =
      rule === 'external-added' && isPartOfKey(pair) ? 'dangerous' : severityWhenAdded;
    const severity = pair.old === undefined ? severityWhenNew : severityOfExisting;
    const message = `${coordinate} is @${name} now`;
    return severity === undefined ? [] : [{ rule, severity, message, coordinate, node: next }];
  }
  if (old !== undefined && next === undefined) {
    const message = `${coordinate} is no longer @${name}`;
    return [createChange(marker.removed, { message, coordinate })];
  }
  return [];
}

/** Subgraphs serve the fields of their keys even when these are external. */
function isPartOfKey({ coordinate, nextVersion }: ElementPair): boolean {
  const [type = ''] = ancestorsOf(coordinate);
  const field = coordinate.slice(type.length + 1);
  return applicationsOf(nextVersion.elements.get(type), 'federation__key').some((key) =>
    fieldPathsOf(key).some((path) => path.split(/[.(]/)[0] === field),
  );
}
