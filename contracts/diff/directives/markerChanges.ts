import type { Severity } from '../../finding.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import type { DiffRule } from '../diffRules.ts';
import { ancestorsOf } from '../elements.ts';
import { fieldPathsOf } from '../fieldSet.ts';
import type { SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

interface Marker {
  readonly directive: string;
  readonly added: readonly [rule: DiffRule, severity: Severity];
  readonly removed: readonly [rule: DiffRule, severity: Severity];
  /** How bad it is on an element that is new here, which other subgraphs may have; `undefined`: not worth telling. */
  readonly severityWhenNew: Severity | undefined;
}

const markers: readonly Marker[] = [
  {
    directive: 'shareable',
    added: ['shareable-added', 'safe'],
    removed: ['shareable-removed', 'dangerous'],
    severityWhenNew: undefined,
  },
  {
    directive: 'external',
    added: ['external-added', 'breaking'],
    removed: ['external-removed', 'safe'],
    severityWhenNew: undefined,
  },
  {
    directive: 'inaccessible',
    added: ['inaccessible-added', 'breaking'],
    removed: ['inaccessible-removed', 'safe'],
    severityWhenNew: 'safe',
  },
  {
    directive: 'authenticated',
    added: ['authenticated-added', 'breaking'],
    removed: ['authenticated-removed', 'dangerous'],
    severityWhenNew: 'dangerous',
  },
];

/** Directives that are there or not. */
export function markerChanges(pair: ElementPair): readonly SubgraphChange[] {
  return markers.flatMap((marker) => markerChange(pair, marker));
}

function markerChange(pair: ElementPair, marker: Marker): readonly SubgraphChange[] {
  const { coordinate } = pair;
  const [old, next] = singleApplicationsOf(pair, `federation__${marker.directive}`);
  if (old === undefined && next !== undefined) {
    const [rule, severity] = marker.added;
    const judged =
      pair.old === undefined
        ? marker.severityWhenNew
        : isPartOfKey(pair)
          ? keyFieldSeverity(rule, severity)
          : severity;
    const message = `${coordinate} is @${marker.directive} now`;
    return judged === undefined ? [] : [{ rule, severity: judged, message, coordinate, node: next }];
  }
  if (old !== undefined && next === undefined) {
    const [rule, severity] = marker.removed;
    return [{ rule, severity, message: `${coordinate} is no longer @${marker.directive}`, coordinate }];
  }
  return [];
}

/** Fields of keys are served even where they are external. */
function keyFieldSeverity(rule: DiffRule, severity: Severity): Severity {
  return rule === 'external-added' ? 'dangerous' : severity;
}

function isPartOfKey({ coordinate, nextVersion }: ElementPair): boolean {
  const [type = ''] = ancestorsOf(coordinate);
  const field = coordinate.slice(type.length + 1);
  return applicationsOf(nextVersion.elements.get(type), 'federation__key').some((key) =>
    fieldPathsOf(key).some((path) => path.split(/[.(]/)[0] === field),
  );
}
