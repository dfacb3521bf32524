import type { Deployment, Finding } from '../finding.ts';
import { checkFetch } from '../graph/checkFetch.ts';
import { deploymentFor } from '../graph/deploymentFor.ts';
import type { FetchProblem } from '../graph/fetchProblem.ts';
import { quotedIn } from '../graph/placeByWords.ts';
import type { PlannedConsumer, PlannedGraph } from '../graph/planConsumers.ts';
import { factsOf } from '../graph/subgraphFacts.ts';
import type { UncomposedChange } from '../parts.ts';
import { blame } from './blame.ts';
import { fetchTargetOf } from './fetchTargetOf.ts';
import { judgeFinding } from './judgeFinding.ts';
import { OperationUses } from './operationUses.ts';
import type { Trouble } from './trouble.ts';

/** What changes mean that make no supergraph: gateways stay on the old one, and whatever of its plans does not work with
 *  the new subgraphs breaks as soon as these are deployed. */
export function judgeUncomposed(change: UncomposedChange): readonly Finding[] {
  const { changes, gateway, next, refusals, operations } = change;
  const refused = mergeUnreachable(refusals.filter((refusal) => !isToldAlready(refusal, changes)));
  if (gateway === undefined) return [...changes, ...refused];
  const schemas = { old: gateway.graph.supergraph.apiSchema, next: undefined };
  // A subgraph library refuses these: they do not start, so that no plan meets them.
  const invalid = new Set(
    changes.flatMap(({ rule, subgraph }) => (rule === 'subgraph-invalid' ? subgraph : [])),
  );
  const started = changedSubgraphs(gateway, next).filter((name) => !invalid.has(name));
  const troubles = oldPlanTroubles(gateway, next, started);
  const uses = new OperationUses(operations, [schemas.old]);
  const { blamed } = blame(changes, troubles, schemas);
  const judged = changes.map((finding) => {
    const own = blamed.get(finding) ?? [];
    const deployment = deploymentOf(finding, own, refusals);
    return judgeFinding(finding, { troubles: own, deployment, users: uses.of(finding), schemas });
  });
  return [...judged, ...refused];
}

/** What a subgraph library refuses the composer refuses in the same words. */
function isToldAlready({ rule, subgraph, message }: Finding, changes: readonly Finding[]): boolean {
  if (rule !== 'composition-error') return false;
  return changes.some(
    (change) =>
      change.rule === 'subgraph-invalid' && change.subgraph === subgraph && message.includes(wordsOf(change)),
  );
}

/** Without the file that it begins with. */
function wordsOf({ message }: Finding): string {
  return message.slice(message.indexOf(': ') + 2);
}

function changedSubgraphs({ graph }: PlannedGraph, next: UncomposedChange['next']): readonly string[] {
  const names = new Set([...graph.contracts.keys(), ...next.keys()]);
  return [...names].filter((name) => graph.contracts.get(name)?.sdl !== next.get(name)?.sdl);
}

interface OldPlanTrouble extends Trouble {
  readonly kind: FetchProblem['kind'];
}

/** That there is no supergraph yet does not change the order in which it and the subgraph are rolled out, unless the
 *  change is why there is none. */
function deploymentOf(
  change: Finding,
  troubles: readonly OldPlanTrouble[],
  refusals: readonly Finding[],
): Deployment | undefined {
  const { subgraph } = change;
  if (troubles.length === 0 || subgraph === undefined) return undefined;
  const oldPlans = troubles.map(
    ({ kind, message, coordinates }): FetchProblem => ({ kind, isCertain: true, message, coordinates }),
  );
  const isMended = oldPlans.every(({ kind }) => mendedByGateways.has(kind));
  const isRefused = !isMended || refusals.some((refusal) => isAbout(refusal, change));
  const deployment = deploymentFor({ subgraph, oldPlans, newPlans: [], isRefused });
  return isRefused ? deployment : { ...deployment, steps: [composeFirst, ...deployment.steps] };
}

/** What is in order as soon as gateways know the change, whatever else is in their supergraph. Of anything else that old
 *  plans miss only new plans could tell whether it is to be had in another way, and there are none. */
const mendedByGateways: ReadonlySet<FetchProblem['kind']> = new Set(['missing input', 'unknown value']);

const composeFirst =
  'Correct what the composer refuses, and check again: until then there is no supergraph to publish.';

/** Whether the composer names what a change is about, a value by its enum and an argument by its field. */
function isAbout(refusal: Finding, { coordinate, rule }: Finding): boolean {
  if (coordinate === undefined) return true;
  const [type = '', member] = coordinate.replace(/\(.*/, '').split('.');
  const names = [
    coordinate,
    member === undefined || rule.startsWith('enum-value-') ? type : `${type}.${member}`,
  ];
  const named = [refusal.coordinate ?? '', ...quotedIn(refusal.message)];
  return named.some((name) => names.includes(name) || names.includes(name.replace(/\(.*/, '')));
}

function oldPlanTroubles(
  gateway: PlannedGraph,
  next: UncomposedChange['next'],
  changed: readonly string[],
): readonly OldPlanTrouble[] {
  const planned = factsOf(gateway.graph);
  return changed.flatMap((subgraph) => {
    const contract = next.get(subgraph);
    const target = contract && fetchTargetOf(contract);
    return [...gateway.plans].flatMap(([operation, plan]) => {
      const fetches = fetchesOf(plan).filter((fetch) => fetch.subgraph === subgraph);
      const problems =
        target === undefined
          ? fetches.slice(0, 1).map(() => ({
              kind: 'no subgraph' as const,
              message: `there is no subgraph "${subgraph}"`,
              coordinates: [],
            }))
          : fetches.flatMap((fetch) => checkFetch(fetch, planned, target));
      return problems.map(
        ({ kind, message, coordinates }): OldPlanTrouble => ({
          kind,
          operation,
          subgraph,
          phase: 'old gateways',
          message,
          coordinates,
        }),
      );
    });
  });
}

function fetchesOf(planned: PlannedConsumer) {
  return planned.kind === 'planned' ? planned.variants.flatMap(({ fetches }) => fetches) : [];
}

/** One key that is missing makes every field unreachable that was reached by it. */
function mergeUnreachable(refusals: readonly Finding[]): readonly Finding[] {
  const unreachable = refusals.filter(({ message }) => message.startsWith('SATISFIABILITY_ERROR'));
  const [first, ...others] = unreachable;
  if (first === undefined || others.length === 0) return refusals;
  const fields = new Set(others.flatMap(({ coordinate }) => coordinate ?? []));
  const merged = {
    ...first,
    message: `${first.message}\nNor can these be reached on all ways to them: ${[...fields].join(', ')}.`,
  };
  return [...refusals.filter((finding) => !unreachable.includes(finding)), merged];
}
