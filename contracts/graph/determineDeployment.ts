import type { Deployment, Finding } from '../finding.ts';
import type { FetchProblem } from './fetchProblem.ts';

type SubgraphLifecycle = 'added' | 'removed';

type RolloutProblem = Pick<FetchProblem, 'message' | 'coordinates'>;

interface RolloutProblems {
  readonly subgraph: string;
  /** Whether the subgraph itself is new or is removed. Omitted: it has an old and a new version. */
  readonly lifecycle?: SubgraphLifecycle | undefined;
  /** Why plans of old gateways fail on the new subgraph. */
  readonly oldPlanProblems: readonly RolloutProblem[];
  /** Why plans of new gateways fail on the old subgraph. */
  readonly newPlanProblems: readonly RolloutProblem[];
  /** Whether the new gateway refuses one of the operations. */
  readonly isRefused: boolean;
  /** Messages of the problems that the steps may quote. The others belong to other changes of the same version: they
   *  decide the order, too, and are explained by their own findings. Omitted: all. */
  readonly quotable?: ReadonlySet<string> | undefined;
}

export function lifecycleOf({ rule }: Pick<Finding, 'rule'>): SubgraphLifecycle | undefined {
  if (rule === 'subgraph-added') return 'added';
  return rule === 'subgraph-removed' ? 'removed' : undefined;
}

/** The order in which to roll out a subgraph and the supergraph, for operations of which at least one fails in another
 *  order. */
export function determineDeployment(problems: RolloutProblems): Deployment {
  const { subgraph, lifecycle, oldPlanProblems, newPlanProblems, isRefused } = problems;
  if (isRefused || (oldPlanProblems.length > 0 && newPlanProblems.length > 0))
    return { order: 'expand and contract', steps: expandAndContractSteps(problems) };
  if (newPlanProblems.length > 0) {
    return {
      order: 'subgraph first',
      steps:
        lifecycle === 'added'
          ? [
              `Deploy subgraph "${subgraph}".`,
              `Then publish the new supergraph to the gateways: its plans fetch from "${subgraph}".`,
            ]
          : [
              `Deploy subgraph "${subgraph}", and wait until no instance of its old version runs.`,
              `Then publish the new supergraph to the gateways: its plans fail on the old "${subgraph}"${quoteProblems(problems, newPlanProblems)}.`,
            ],
    };
  }
  const publish = 'Publish the new supergraph, and wait until no gateway runs with the old one: its plans';
  return {
    order: 'gateway first',
    steps:
      lifecycle === 'removed'
        ? [`${publish} fetch from "${subgraph}".`, `Then stop subgraph "${subgraph}".`]
        : [
            `${publish} fail on the new "${subgraph}"${quoteProblems(problems, oldPlanProblems)}.`,
            `Then deploy subgraph "${subgraph}".`,
          ],
  };
}

const moveConsumers =
  'Move the consumers to the new elements, and wait until no client sends the old operations.';

function expandAndContractSteps(problems: RolloutProblems): readonly string[] {
  const { subgraph, lifecycle, oldPlanProblems, newPlanProblems, isRefused } = problems;
  if (lifecycle === 'added') {
    return [
      `Make a version of subgraph "${subgraph}" with which the graph still serves what the operation uses. Deploy it, and publish the supergraph that is composed with it.`,
      moveConsumers,
      `Let subgraph "${subgraph}" take over the rest in a separate change.`,
    ];
  }
  if (lifecycle === 'removed') {
    return [
      `Keep subgraph "${subgraph}" running. Let other subgraphs serve what the operation uses, or move the consumers away from it and wait until no client sends the old operations.`,
      `Publish the supergraph without "${subgraph}", and wait until no gateway runs with the old one.`,
      `Then stop subgraph "${subgraph}".`,
    ];
  }
  const own = quotableOf(problems, oldPlanProblems);
  const parts = [...new Set(own.flatMap(({ coordinates }) => coordinates))];
  const others = isRefused ? 'what the operation uses' : 'what running gateways fetch';
  const requiredElements = parts.length === 0 ? others : parts.join(', ');
  const why =
    own.length === 0
      ? ''
      : `; otherwise plans of running gateways fail${quoteProblems(problems, oldPlanProblems)}`;
  const expand = `Expand: make a version of subgraph "${subgraph}" that adds the new elements and still serves ${requiredElements} as before${why}.`;
  const contract = `Contract: remove the old elements from subgraph "${subgraph}" in a separate change.`;
  if (isRefused) {
    return [
      `${expand} Deploy it, and publish the supergraph that is composed with it.`,
      moveConsumers,
      contract,
    ];
  }
  return [
    `${expand} Deploy it, and wait until no instance of the old version runs.`,
    `Publish the supergraph that is composed with it, and wait until no gateway runs with the old one. New plans fail on the old "${subgraph}"${quoteProblems(problems, newPlanProblems)}.`,
    contract,
  ];
}

function quotableOf({ quotable }: RolloutProblems, of: readonly RolloutProblem[]): readonly RolloutProblem[] {
  return quotable === undefined ? of : of.filter(({ message }) => quotable.has(message));
}

/** Such as ` (subgraph "a" refuses the request: …, and 2 more reasons)`. Several operations may have the same problem. */
function quoteProblems(problems: RolloutProblems, of: readonly RolloutProblem[]): string {
  const [first, ...others] = new Set(quotableOf(problems, of).map(({ message }) => message));
  if (first === undefined) return '';
  const more =
    others.length === 0 ? '' : `, and ${others.length} more reason${others.length === 1 ? '' : 's'}`;
  // Validation messages are whole sentences.
  return ` (${first.replace(/\.$/, '')}${more})`;
}
