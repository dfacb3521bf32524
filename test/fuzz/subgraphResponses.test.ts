import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  buildClientSchema,
  type GraphQLSchema,
  getIntrospectionQuery,
  type IntrospectionQuery,
} from 'graphql';
import { chooseFuzzSeeds, createCaseRandom } from '../harness/fuzzSeeds.ts';
import { Gate } from '../harness/gate.ts';
import { exchangeJson, type MergedResponse, MultipartReader, mergePayloads } from '../harness/rawHttp.ts';
import { runTrials } from '../harness/runTrials.ts';
import { type BrokenSubgraphs, operations, startBrokenSubgraphs } from './brokenSubgraphs.ts';
import { findSubgraphCaseProblem } from './checkSubgraphCase.ts';
import { corruptJson } from './corruptJson.ts';
import { clientName, collectOmittedFields, type OmittedFields } from './omittedFields.ts';
import { sendCorruptedResponse } from './sendCorruptedResponse.ts';

const seeds = chooseFuzzSeeds({ perRun: 75, pool: 300, long: 1200 });

/** What the subgraphs sent in one case. Explains nulls and errors in the response. */
interface CaseLog {
  readonly calls: string[];
  readonly nullNames: Set<string>;
  readonly omittedFields: OmittedFields;
  /** Bytes were changed: an id or a name may have become another one. */
  isDamaged: boolean;
  /** Releases the case's requests together, so that they share their next calls. */
  readonly start: Gate;
}
const logs = new Map<string, CaseLog>();

let broken: BrokenSubgraphs;
let schema: GraphQLSchema;
beforeAll(async () => {
  broken = await startBrokenSubgraphs(async (call, { subgraph, caseName, right }) => {
    const log = logs.get(caseName);
    if (log === undefined) {
      call.respond({ headers: { 'content-type': 'application/json' }, body: right });
      return;
    }
    const { body } = call.request;
    if (!body.includes('representations')) await log.start.pass();
    // By the body, because the order of calls varies.
    const random = createCaseRandom(
      Number(caseName),
      createHash('sha256')
        .update(subgraph + body)
        .digest()
        .readInt32BE(),
    );
    const text = random.chance(0.6) ? corruptJson(random, right) : right;
    collectNullNames(text, log.nullNames);
    collectOmittedFields(right, text, log.omittedFields);
    const corruption = random.chance(0.25) ? await sendCorruptedResponse(random, call, text) : undefined;
    if (corruption === 'damaged bytes') {
      log.isDamaged = true;
      log.omittedFields.hasMissingInput = true;
    }
    if (corruption === undefined)
      call.respond({ headers: { 'content-type': 'application/json' }, body: text });
    log.calls.push(`${subgraph} ${body}\n  ${corruption ?? 'sent'}: ${text}`);
  });
  const { body } = await broken.gateway.execute(getIntrospectionQuery());
  schema = buildClientSchema(body.data as IntrospectionQuery);
});
afterAll(() => broken.close());

const accepts = [
  'application/json',
  'multipart/mixed;deferSpec=20220824, application/json;q=0.9',
  'multipart/mixed;incrementalSpec=v0.2, application/json;q=0.9',
];

test(
  `each of ${seeds.count} wrong subgraph responses from seed ${seeds.first} leaves a valid response for the client`,
  async () => {
    const problems = await runTrials(
      seeds.all,
      async (seed) => {
        const random = createCaseRandom(seed);
        const operation = random.pick(operations);
        const log: CaseLog = {
          calls: [],
          nullNames: new Set(),
          omittedFields: { names: new Set(), hasMissingInput: false },
          isDamaged: false,
          start: new Gate(),
        };
        void log.start.waitForArrivals(3).then(() => log.start.open());
        logs.set(String(seed), log);
        // At the same time with equal forwarded headers, so that they share calls and entities.
        const ids = ['x', 'y', 'z'].map((letter) => `${letter}~${seed}`);
        const found = await Promise.all(
          ids.map((id) => findProblem(operation, id, random.pick(accepts), log, String(seed))),
        );
        const control = await findControlProblem(`c~${seed}`);
        logs.delete(String(seed));
        const problem = found.find((foundProblem) => foundProblem !== undefined) ?? control;
        return problem && `seed ${seed}: ${problem}\n${operation}\n${log.calls.join('\n')}\n`;
      },
      6,
    );
    expect(problems).toEqual([]);
    expect(broken.faults).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  },
  seeds.timeoutMs,
);

async function findProblem(
  operation: string,
  id: string,
  accept: string,
  log: CaseLog,
  caseName: string,
): Promise<string | undefined> {
  let response: { status: number; text: string };
  try {
    response = await send(operation, id, accept, { 'x-case': caseName });
  } catch (error) {
    return String(error);
  }
  const { status, text } = response;
  if (status !== 200) return `status ${status}: ${text}`;
  const foreignValues = Array.from(text.matchAll(/[xyzc]~\d+/g), ([value]) => value).filter(
    (value) => value !== id,
  );
  if (foreignValues.length > 0 && !log.isDamaged)
    return `${id} got values of ${foreignValues.join()}: ${text}`;
  let merged: MergedResponse;
  const isMerged = text.startsWith('\r\n');
  try {
    merged = readResponse(text);
  } catch (error) {
    return `${String(error)}: ${text}`;
  }
  const { nullNames, omittedFields } = log;
  const problem = findSubgraphCaseProblem(merged, {
    schema,
    operation,
    isMerged,
    nullNames,
    omittedFields,
  });
  return problem && `${accept} ${id}: ${problem}\n${text.slice(0, 4_000)}`;
}

/** Sends a request for which the subgraphs respond correctly. */
async function findControlProblem(id: string): Promise<string | undefined> {
  const { text } = await send(
    'query ($id: ID!) { user(id: $id) { name note badge { text } } }',
    id,
    accepts[0],
  );
  const data = { user: { name: `name ${id}`, note: `note ${id}`, badge: { text: `badge ${id}` } } };
  return text === JSON.stringify({ data }) ? undefined : `a control got ${text}`;
}

async function send(
  query: string,
  id: string,
  accept = 'application/json',
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await exchangeJson(
    broken.gateway.url,
    { query, variables: { id } },
    { accept, ...headers },
  );
  return { status: response.status, text: response.body };
}

function readResponse(text: string): MergedResponse {
  if (!text.startsWith('\r\n')) return JSON.parse(text) as MergedResponse;
  const reader = new MultipartReader();
  const payloads = reader.read(text);
  reader.assertClosed();
  return mergePayloads(payloads);
}

/** Adds the names of members that are null or a list with null, at any depth. */
function collectNullNames(text: string, names: Set<string>): void {
  visit(JSON.parse(text), '', 50);

  function visit(value: unknown, name: string, depth: number): void {
    if (value === null) names.add(clientName(name));
    if (typeof value !== 'object' || value === null || depth === 0) return;
    for (const [key, inner] of Object.entries(value))
      visit(inner, Array.isArray(value) ? name : key, depth - 1);
  }
}
