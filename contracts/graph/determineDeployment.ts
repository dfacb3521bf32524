import type { Deployment } from '../finding.ts';
import type { FetchProblem } from './fetchProblem.ts';

interface RolloutProblems {
  readonly subgraph: string;
  /** Why plans of old gateways fail on the new subgraph. */
  readonly oldPlanProblems: readonly FetchProblem[];
  /** Why plans of new gateways fail on the old subgraph. */
  readonly newPlanProblems: readonly FetchProblem[];
  /** Whether the new gateway refuses one of the operations. */
  readonly isRefused: boolean;
}

/** The order in which to roll out a subgraph and the supergraph, for one operation or several. */
export function determineDeployment(problems: RolloutProblems): Deployment {
  const { subgraph, oldPlanProblems, newPlanProblems, isRefused } = problems;
  if (isRefused || (oldPlanProblems.length > 0 && newPlanProblems.length > 0))
    return expandAndContract(problems);
  if (newPlanProblems.length > 0) {
    return {
      order: 'subgraph first',
      steps: [
        `Deploy subgraph "${subgraph}", and wait until no instance of its old version runs.`,
        `Then publish the new supergraph to the gateways: its plans need the new "${subgraph}" (${summarizeProblems(newPlanProblems)}).`,
      ],
    };
  }
  if (oldPlanProblems.length > 0) {
    return {
      order: 'gateway first',
      steps: [
        `Publish the new supergraph, and wait until no gateway runs with the old one: its plans fail on the new "${subgraph}" (${summarizeProblems(oldPlanProblems)}).`,
        `Then deploy subgraph "${subgraph}".`,
      ],
    };
  }
  return {
    order: 'safe',
    steps: [
      `Deploy subgraph "${subgraph}" and publish the new supergraph in any order: old and new plans work with both versions.`,
    ],
  };
}

function expandAndContract({
  subgraph,
  oldPlanProblems,
  newPlanProblems,
  isRefused,
}: RolloutProblems): Deployment {
  const parts = [...new Set(oldPlanProblems.flatMap(({ coordinates }) => coordinates))];
  const requiredElements = parts.length === 0 ? 'what the operation uses' : parts.join(', ');
  const why =
    oldPlanProblems.length === 0
      ? ''
      : `, because running gateways need it (${summarizeProblems(oldPlanProblems)})`;
  const expand = `Expand: make a version of subgraph "${subgraph}" that adds the new elements and still serves ${requiredElements} as before${why}.`;
  const contract = `Contract: remove the old elements from subgraph "${subgraph}" in a separate change.`;
  if (isRefused) {
    return {
      order: 'expand and contract',
      steps: [
        `${expand} Deploy it, and publish the supergraph that is composed with it.`,
        'Move the consumers to the new elements, and wait until no client sends the old operations.',
        contract,
      ],
    };
  }
  return {
    order: 'expand and contract',
    steps: [
      `${expand} Deploy it, and wait until no instance of the old version runs.`,
      `Publish the supergraph that is composed with it: new plans need it (${summarizeProblems(newPlanProblems)}). Wait until no gateway runs with the old one.`,
      contract,
    ],
  };
}

function summarizeProblems([first, ...others]: readonly FetchProblem[]): string {
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  // Validation messages are whole sentences.
  return `${first?.message.replace(/\.$/, '')}${more}`;
}
