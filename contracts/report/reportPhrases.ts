import type { AffectedOperation, Deployment, FileLocation, Finding } from '../finding.ts';
import { severitiesWorstFirst } from '../severity.ts';
import type { CheckScope, CheckSummary, DeploymentTarget, Verdict } from './checkReport.ts';
import { toSingleLine } from './textFormatting.ts';

/** The verdict in one sentence. */
export function verdictSentence(summary: CheckSummary): string {
  const { verdict, counts, waived, strict, deployability, checked } = summary;
  if (deployability !== undefined) return deployabilitySentence(verdict, deployability);
  if (verdict === 'failed' && counts.breaking === 0 && strict) return 'Something is dangerous (--strict).';
  if (verdict === 'passed' && checked.operations === 0)
    return 'Nothing breaks that is known: the store has no operations of clients.';
  const count = waived + severitiesWorstFirst.reduce((sum, severity) => sum + counts[severity], 0);
  return verdict === 'passed' && count === 0
    ? 'Nothing breaks: there are no findings.'
    : verdictSentences[verdict];
}

function deployabilitySentence(verdict: Verdict, { subgraph, environment }: DeploymentTarget): string {
  const what = `be deployed to ${environment} now`;
  switch (verdict) {
    case 'passed':
      return `Yes: ${subgraph} can ${what}.`;
    case 'failed':
      return `No: ${subgraph} cannot ${what}.`;
    case 'misuse':
      return `Whether ${subgraph} can ${what} is not known: the store or the arguments have mistakes.`;
    case 'undecided':
      return `Whether ${subgraph} can ${what} is not known: something could not be determined.`;
  }
}

const verdictSentences: Readonly<Record<Verdict, string>> = {
  passed: 'Nothing breaks.',
  failed: 'Something breaks.',
  misuse: 'The contracts or the arguments have mistakes: correct them and check again.',
  undecided: 'Undecided: something could not be determined.',
};

/** Such as `1 breaking, 1 waived; 4 subgraphs, 2 consumers, 12 operations checked against revision HEAD, from which 1
 *  subgraph differs`. Without findings there are no counts, because the verdict says so. */
export function summaryPhrase({ counts: found, waived, checked }: CheckSummary): string {
  const parts = severitiesWorstFirst
    .filter((severity) => found[severity] > 0)
    .map((severity) => `${found[severity]} ${severity}`);
  if (waived > 0) parts.push(`${waived} waived`);
  const scope = [
    counted(checked.subgraphs, 'subgraph'),
    counted(checked.consumers, 'consumer'),
    counted(checked.operations, 'operation'),
  ];
  const counts = parts.length === 0 ? '' : `${parts.join(', ')}; `;
  return `${counts}${scope.join(', ')} checked${baselinePhrase(checked)}`;
}

/** A check that compares a state with itself always passes: the phrase shows it. */
function baselinePhrase({ baselines = [], changedSubgraphs = 0 }: CheckScope): string {
  if (baselines.length === 0) return '';
  const changed = changedSubgraphs === 0 ? 'no subgraph' : counted(changedSubgraphs, 'subgraph');
  return ` against ${toSingleLine(baselines.join(', '))}, from which ${changed} differ${changedSubgraphs > 1 ? '' : 's'}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Such as `contracts/schemas/reviews.graphql:12:3`. */
export function locationPhrase({ file, line, column }: FileLocation): string {
  return `${file}:${line}:${column}`;
}

/** Such as `storefront/ProductPage (contracts/operations/storefront/productPage.graphql:4:7): selects it`. */
export function affectedPhrase({ consumer, operation, location, reason }: AffectedOperation): string {
  return `${consumer}/${operation} (${locationPhrase(location)}): ${reason}`;
}

/** Such as `Deploy gateway first:`, `1. Deploy the gateway.`, `2. Deploy the subgraph.` */
function deploymentLines({ order, steps }: Deployment): string[] {
  if (steps.length === 0) return [`Deploy ${order}`];
  return [`Deploy ${order}:`, ...steps.map((step, index) => `${index + 1}. ${step}`)];
}

/** Everything known about a finding besides its rule and location, the message first. Each rollout step is a line. `maxAffected`: the
 *  number of affected operations that are named; the others are counted. */
export function findingLines(finding: Finding, maxAffected = Number.POSITIVE_INFINITY): string[] {
  const { message, affects = [], deployment, advice, waivedBy } = finding;
  const more = affects.length - maxAffected;
  return [
    message,
    ...affects.slice(0, maxAffected).map((operation) => `Breaks or worsens ${affectedPhrase(operation)}`),
    ...(more > 0 ? [`and ${counted(more, 'more operation')}`] : []),
    ...(deployment === undefined ? [] : deploymentLines(deployment)),
    ...(advice === undefined ? [] : [`What to do: ${advice}`]),
    ...(waivedBy === undefined ? [] : [`Waived: ${waivedBy}`]),
  ];
}
