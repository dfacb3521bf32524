import type { Finding } from '../finding.ts';

/** Whether what runs is what was agreed on, and what that means. */
export interface Drift {
  readonly subgraphs: readonly SubgraphDrift[];
  /** Waivers are not applied. */
  readonly findings: readonly Finding[];
}

export interface SubgraphDrift {
  readonly name: string;
  /** `drifted`: it serves something else than its contract. `unknown`: it gave no schema, or nobody knows where it is
   *  reached. `not agreed on`: it has no contract. */
  readonly state: 'as agreed' | 'drifted' | 'unknown' | 'not agreed on';
  /** Operations of the store that do not work because of it, as `consumer/Operation`. */
  readonly breaks: readonly string[];
}
