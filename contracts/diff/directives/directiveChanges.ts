import { ancestorsOf } from '../elements.ts';
import type { SubgraphChange } from '../subgraphChange.ts';
import type { SubgraphVersion } from '../subgraphVersion.ts';
import { accessChanges } from './accessChanges.ts';
import { cachedChanges } from './cachedChanges.ts';
import { costChanges } from './costChanges.ts';
import { customChanges } from './customChanges.ts';
import { deprecationChanges } from './deprecationChanges.ts';
import type { ElementPair } from './elementPair.ts';
import { enrichmentChanges } from './enrichmentChanges.ts';
import { fieldSetChanges } from './fieldSetChanges.ts';
import { fromContextChanges } from './fromContextChanges.ts';
import { interfaceObjectChanges } from './interfaceObjectChanges.ts';
import { keyChanges } from './keyChanges.ts';
import { linkChanges } from './linkChanges.ts';
import { markerChanges } from './markerChanges.ts';
import { namedSetChanges } from './namedSetChanges.ts';
import { overrideChanges } from './overrideChanges.ts';

const comparisons: readonly ((pair: ElementPair) => readonly SubgraphChange[])[] = [
  keyChanges,
  fieldSetChanges,
  overrideChanges,
  markerChanges,
  interfaceObjectChanges,
  accessChanges,
  costChanges,
  namedSetChanges,
  fromContextChanges,
  deprecationChanges,
  customChanges,
];

/** Compares the directives on elements of the new version by meaning. */
export function directiveChanges(old: SubgraphVersion, next: SubgraphVersion): readonly SubgraphChange[] {
  const pairs = [...next.elements].map(
    ([coordinate, element]): ElementPair => ({
      coordinate,
      old: old.elements.get(coordinate),
      next: element,
      hasNewAncestor: ancestorsOf(coordinate).some((holder) => !old.elements.has(holder)),
      nextVersion: next,
    }),
  );
  return [
    ...linkChanges(old, next),
    ...pairs.flatMap((pair) => comparisons.flatMap((compare) => compare(pair))),
    ...cachedChanges(old, next),
    ...enrichmentChanges(old, next),
  ];
}
