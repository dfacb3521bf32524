import type { ConstDirectiveNode } from 'graphql';
import type { Severity } from '../finding.ts';
import type { DiffRule } from './diffRules.ts';

/** One difference between two versions of a subgraph, before it has a place in a file. */
export interface SubgraphChange {
  readonly rule: DiffRule;
  readonly severity: Severity;
  readonly message: string;
  readonly coordinate: string;
  /** The directive in the new SDL that the change is about, where there is one: its place is more exact. */
  readonly node?: ConstDirectiveNode | undefined;
}
