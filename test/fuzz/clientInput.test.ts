import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runTrials } from '../differential/trials.ts';
import { MultipartReader, mergePayloads } from '../harness/frames.ts';
import { findAnswerProblem } from './checkClientAnswer.ts';
import { type ClientCase, clientCase } from './clientRequests.ts';
import { controlFor, type EchoGateway, startEchoGateway } from './echoGateway.ts';
import { exchangeBytes } from './exchangeBytes.ts';
import { chooseSeeds } from './seeds.ts';

const seeds = chooseSeeds(500);

let echo: EchoGateway;
beforeAll(async () => {
  echo = await startEchoGateway({ limits: { batchedOperations: 3 } });
});
afterAll(() => echo.close());

test(
  `${seeds.count} requests from seed ${seeds.first} on are answered or refused with a reason`,
  async () => {
    const problems = await runTrials(seeds.all, async (seed) => {
      const request = clientCase(seed);
      const [answer, control] = await Promise.all([
        exchangeBytes(echo.gateway.url, request.bytes, request.endsEarly),
        seed % 2 === 0 ? findControlProblem(`control${seed}`) : undefined,
      ]);
      const problem = findAnswerProblem(request, answer) ?? control;
      return problem && report(seed, request, problem);
    });
    expect(problems).toEqual([]);
    expect(echo.faults).toEqual([]);
    expect(await findControlProblem('last')).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  },
  seeds.timeout,
);

test(
  'what was sent once and again leaves no more behind',
  async () => {
    const some = seeds.all.slice(0, 150).map(clientCase);
    const sendAll = async (): Promise<number> => {
      await runTrials(some, async ({ bytes, endsEarly }) => {
        await exchangeBytes(echo.gateway.url, bytes, endsEarly);
        return undefined;
      });
      return heapAfterCollection();
    };
    await sendAll();
    const before = await sendAll();
    await sendAll();
    const after = await sendAll();
    // Far more than jitter, far less than the bodies that were sent: 300 of them.
    expect(after - before).toBeLessThan(4_000_000);
  },
  seeds.timeout,
);

/** One request among the others that knows its answer. */
async function findControlProblem(id: string): Promise<string | undefined> {
  const { body, data } = controlFor(id);
  const response = await fetch(echo.gateway.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'multipart/mixed;deferSpec=20220824, application/json;q=0.9',
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!text.startsWith('\r\n')) return `a control was answered with ${text}`;
  const merged = mergePayloads(new MultipartReader().read(text));
  const got = JSON.stringify(sorted(merged));
  return got === JSON.stringify(sorted({ data })) ? undefined : `a control got ${got}`;
}

/** Members in order: which payload brought a field does not matter. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

function report(seed: number, { name, bytes }: ClientCase, problem: string): string {
  const shown = JSON.stringify(bytes.toString('latin1')).slice(0, 3_000);
  return `seed ${seed} (${name}): ${problem}\n${shown}\n`;
}
