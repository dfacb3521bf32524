import type { Deployment } from '../finding.ts';
import type { FetchProblem } from './fetchProblem.ts';

export interface DeploymentQuestion {
  readonly subgraph: string;
  /** What the old gateway has against the new subgraph. */
  readonly oldPlans: readonly FetchProblem[];
  /** What the new gateway has against the old subgraph. */
  readonly newPlans: readonly FetchProblem[];
  /** Whether the new gateway refuses the operation, or any of them. */
  readonly isRefused: boolean;
}

/** In which order a subgraph and the gateways' supergraph can be rolled out, for one operation or for several. */
export function deploymentFor(question: DeploymentQuestion): Deployment {
  const { subgraph, oldPlans, newPlans, isRefused } = question;
  if (isRefused || (oldPlans.length > 0 && newPlans.length > 0)) return expandAndContract(question);
  if (newPlans.length > 0) {
    return {
      order: 'subgraph first',
      steps: [
        `Deploy subgraph "${subgraph}", and wait until no instance of its old version runs.`,
        `Then publish the new supergraph to the gateways: its plans need the new "${subgraph}" (${reasonOf(newPlans)}).`,
      ],
    };
  }
  if (oldPlans.length > 0) {
    return {
      order: 'gateway first',
      steps: [
        `Publish the new supergraph, and wait until no gateway runs with the old one: its plans do not work with the new "${subgraph}" (${reasonOf(oldPlans)}).`,
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

function expandAndContract({ subgraph, oldPlans, newPlans, isRefused }: DeploymentQuestion): Deployment {
  const parts = [...new Set(oldPlans.flatMap(({ coordinates }) => coordinates))];
  const kept = parts.length === 0 ? 'what the operation uses' : parts.join(', ');
  const why = oldPlans.length === 0 ? '' : `, because running gateways need it (${reasonOf(oldPlans)})`;
  const expand = `Expand: make a version of subgraph "${subgraph}" that has what is new and still serves ${kept} as before${why}.`;
  const contract = `Contract: take what is old out of subgraph "${subgraph}" in a change of its own.`;
  if (isRefused) {
    return {
      order: 'expand and contract',
      steps: [
        `${expand} Deploy it, and publish the supergraph that is composed with it.`,
        'Move the consumers to what is new, and wait until nobody sends the old operations.',
        contract,
      ],
    };
  }
  return {
    order: 'expand and contract',
    steps: [
      `${expand} Deploy it, and wait until no instance of the old version runs.`,
      `Publish the supergraph that is composed with it: new plans need it (${reasonOf(newPlans)}). Wait until no gateway runs with the old one.`,
      contract,
    ],
  };
}

function reasonOf([first, ...others]: readonly FetchProblem[]): string {
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  // The validator's messages are whole sentences.
  return `${first?.message.replace(/\.$/, '')}${more}`;
}
