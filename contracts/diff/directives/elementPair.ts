import type { ConstDirectiveNode } from 'graphql';
import { applicationsOf } from '../canonicalSubgraph.ts';
import type { ElementNode } from '../elements.ts';
import type { SubgraphVersion } from '../subgraphVersion.ts';

/** One element of a subgraph in both versions. */
export interface ElementPair {
  readonly coordinate: string;
  /** Undefined when the element is new in this subgraph. Other subgraphs may have had it. */
  readonly old: ElementNode | undefined;
  readonly next: ElementNode;
  /** Whether an element around this one is new too. */
  readonly hasNewAncestor: boolean;
  readonly nextVersion: SubgraphVersion;
}

/** The application of a non-repeatable directive in both versions. */
export function singleApplicationsOf(
  { old, next }: ElementPair,
  meaning: string,
): readonly [old: ConstDirectiveNode | undefined, next: ConstDirectiveNode | undefined] {
  return [applicationsOf(old, meaning)[0], applicationsOf(next, meaning)[0]];
}
