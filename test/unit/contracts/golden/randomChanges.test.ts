import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PlannedGraph } from '../../../../contracts/graph/planConsumerOperations.ts';
import { isRuleId, ruleOf } from '../../../../contracts/rules.ts';
import { chooseFuzzSeeds, createCaseRandom } from '../../../harness/fuzzSeeds.ts';
import { changeContracts } from './changeContracts.ts';
import { changeRandomly, describeChanges, importAll } from './changeRandomly.ts';
import { checkContractsAgainst, planContracts } from './checkChange.ts';
import { baseContracts, consumerOperations, operationsOf } from './goldenGraph.ts';
import { type ExpectedFinding, toExpectedFinding } from './goldenRow.ts';
import { clubs, media, parcels, shelves } from './moreSubgraphs.ts';
import {
  broken,
  brokenAtAnyTime,
  differing,
  type LoadedContracts,
  loadContracts,
  type RunResults,
  runOperations,
} from './runOperations.ts';

const { all: seeds, timeoutMs } = chooseFuzzSeeds({ perRun: 3, pool: 250, long: 250 });

/** They use what the operations of the base leave out. */
const operations = [
  ...consumerOperations,
  ...operationsOf(`
query Titles($genre: Genre = COMEDY) { featured(genre: $genre) { __typename ...Head ... on Film { format license: code } } }
fragment Head on Titled { title }
query Hits { search(text: "a") { ... on Titled { title } ... on Person { handle born } ... on Film { score cast { name } } } }
query Archived($where: ArchiveFilter, $first: Int) {
  studios archive(where: $where) { released director { handle } }
  films(filter: { minMinutes: $first, genre: HORROR }, first: $first) { minutes genre }
}
query Members($id: ID!) { member(id: $id) { name level balance { amount currency } reviewCount } }
query Latest($first: Int = 3, $kind: ReviewKind) {
  latestReviews(first: $first, kind: $kind) {
    id stars kind author { level email }
    film { title projector watchers reviewCount shows(day: TOMORROW) { startsAt hall { rows } film { seatPrice { amount } } } }
  }
}
query Poster($width: Int, $height: Int = 300) { film(id: "film-1") { poster(width: $width, height: $height, dpi: 2) ageRating recommended(first: 1) { id } } }
mutation Remove($id: ID!) { removeReview(id: $id) }
mutation Rename { rename(name: "a") { id email } }
`),
];

/** Every other case changes the cinema; the others change graphs with parts that it does not have. */
const graphs = [
  { contracts: importAll(baseContracts), operations },
  {
    contracts: importAll(changeContracts([...clubs, ...parcels, ...media, shelves], new Map())),
    operations: operationsOf(`
query Club { club { id town { id size fee } } }
query Parcel { parcel { id size { width } postage } }
query Media { media { id name rating ... on Book { name } } book { name rating } }
query Best { best { __typename id name rating } }
query Shelf { shelf { height width book { id fits } } }
`),
  },
];
const starts: { planned: PlannedGraph; loaded: LoadedContracts }[] = [];

beforeAll(async () => {
  for (const graph of graphs) {
    const planned = await planContracts(graph.contracts, graph.operations);
    if ('findings' in planned) throw new Error(planned.findings.map(({ message }) => message).join('\n'));
    starts.push({ planned, loaded: await loadContracts(graph.contracts) });
  }
});

afterAll(() => Promise.all(starts.map(({ loaded }) => loaded.supergraph.planner.close())));

// To run more cases: FUZZ_SEED=1000 FUZZ_COUNT=200.
describe('The findings about random changes say what happens to executed operations', () => {
  test.each(seeds)(
    'random change %i',
    async (seed) => {
      const { planned, loaded } = starts[seed % starts.length] as (typeof starts)[number];
      const { contracts } = loaded;
      const next = await changeRandomly(contracts, createCaseRandom(seed));
      const findings = (await checkContractsAgainst(planned, next)).map(toExpectedFinding);
      const results = await runOperations(loaded, next, [...planned.plans.keys()]);
      const problems = findProblems(findings, results);
      const context = [
        describeChanges(contracts, next),
        ...findings.map((finding) => JSON.stringify(finding)),
      ];
      expect(problems.length === 0 ? [] : [...problems, ...context]).toEqual([]);
    },
    timeoutMs,
  );
});

function findProblems(all: readonly ExpectedFinding[], results: RunResults): readonly string[] {
  const findings = all.filter(isAboutRuns);
  const anyTime = brokenAtAnyTime(results);
  const isRefused = all.some(({ rule }) => refusals.has(rule));
  const problems: Readonly<Record<string, Set<string>>> = {
    'breaks without a finding': broken(results).difference(affectedBy(findings, isBreaking)),
    'breaks in a rollout without a finding': anyTime.difference(affectedBy(findings, isAboutRollout)),
    'gets other data without a finding': differing(results).difference(affectedBy(findings, isNotSafe)),
    'is said to break': affectedBy(findings, isAlarm).difference(anyTime),
  };
  return [
    ...(isRefused === (results.refusal !== undefined) ? [] : [`The graph: ${results.refusal ?? 'composes'}`]),
    ...Object.entries(problems).flatMap(([problem, names]) =>
      [...names].map((name) => {
        const { breakageAfterRollout, rollouts, jointRollout } = results.operations.get(name) ?? {};
        return `${name} ${problem}: ${JSON.stringify([breakageAfterRollout, ...(rollouts ?? []), jointRollout])}`;
      }),
    ),
  ];
}

const refusals: ReadonlySet<string> = new Set(['composition-error', 'supergraph-refused']);

function isAboutRuns({ rule }: ExpectedFinding): boolean {
  return rule !== 'plan-cost' && isRuleId(rule) && ruleOf(rule).isContractTerm !== true;
}

function isBreaking({ severity }: ExpectedFinding): boolean {
  return severity === 'breaking';
}

function isAboutRollout({ rule, order }: ExpectedFinding): boolean {
  return order !== undefined || rule === 'operation-broken';
}

function isNotSafe({ severity, order }: ExpectedFinding): boolean {
  return severity !== 'safe' || order !== undefined;
}

/** Another default value breaks some operations, and only changes the data of others. A new enum value may be one that
 *  another subgraph computes a field from, and does not know. */
function isAlarm(finding: ExpectedFinding): boolean {
  return isAboutRollout(finding) && !/-default-changed$|^enum-value-added$/.test(finding.rule);
}

function affectedBy(
  findings: readonly ExpectedFinding[],
  isMeant: (finding: ExpectedFinding) => boolean,
): Set<string> {
  return new Set(findings.filter(isMeant).flatMap(({ affects }) => affects));
}
