import type { Severity } from '../../finding.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import type { DiffRule } from '../diffRules.ts';
import { holdersOf } from '../elements.ts';
import { fieldPathsOf } from '../fieldSet.ts';
import type { SubgraphChange } from '../subgraphChange.ts';
import { appliedOnce, type ElementPair } from './elementPair.ts';

interface Marker {
  readonly directive: string;
  readonly added: readonly [rule: DiffRule, severity: Severity];
  readonly removed: readonly [rule: DiffRule, severity: Severity];
  /** How bad it is on an element that is new here, which other subgraphs may have; `undefined`: not worth telling. */
  readonly onNew: Severity | undefined;
}

const markers: readonly Marker[] = [
  {
    directive: 'shareable',
    added: ['shareable-added', 'safe'],
    removed: ['shareable-removed', 'dangerous'],
    onNew: undefined,
  },
  {
    directive: 'external',
    added: ['external-added', 'breaking'],
    removed: ['external-removed', 'safe'],
    onNew: undefined,
  },
  {
    directive: 'inaccessible',
    added: ['inaccessible-added', 'breaking'],
    removed: ['inaccessible-removed', 'safe'],
    onNew: 'safe',
  },
  {
    directive: 'authenticated',
    added: ['authenticated-added', 'breaking'],
    removed: ['authenticated-removed', 'dangerous'],
    onNew: 'dangerous',
  },
];

/** Directives that are there or not. */
export function markerChanges(pair: ElementPair): readonly SubgraphChange[] {
  return markers.flatMap((marker) => markerChange(pair, marker));
}

function markerChange(pair: ElementPair, marker: Marker): readonly SubgraphChange[] {
  const { coordinate } = pair;
  const [old, next] = appliedOnce(pair, `federation__${marker.directive}`);
  if (old === undefined && next !== undefined) {
    const [rule, severity] = marker.added;
    const judged =
      pair.old === undefined ? marker.onNew : isPartOfKey(pair) ? milder(rule, severity) : severity;
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
function milder(rule: DiffRule, severity: Severity): Severity {
  return rule === 'external-added' ? 'dangerous' : severity;
}

function isPartOfKey({ coordinate, nextVersion }: ElementPair): boolean {
  const [type = ''] = holdersOf(coordinate);
  const field = coordinate.slice(type.length + 1);
  return applicationsOf(nextVersion.elements.get(type), 'federation__key').some((key) =>
    fieldPathsOf(key).some((path) => path.split(/[.(]/)[0] === field),
  );
}
