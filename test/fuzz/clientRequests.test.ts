import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, test } from '@jest/globals';
import { chooseFuzzSeeds, createCaseRandom } from '../harness/fuzzSeeds.ts';
import { MultipartReader, mergePayloads, RawConnection } from '../harness/rawHttp.ts';
import { runTrials } from '../harness/runTrials.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { findResponseProblem } from './checkClientResponse.ts';
import { type ClientCase, createClientBody, createClientCase } from './clientRequests.ts';
import { createControlRequest, startEchoGateway } from './echoGateway.ts';
import { exchangeBytes } from './exchangeBytes.ts';

const seeds = chooseFuzzSeeds({ perRun: 125, pool: 500, long: 2000 });

const echo = await startEchoGateway({ limits: { batchedOperations: 3 } });
afterAll(() => echo.close());

test(
  `each of ${seeds.count} random requests from seed ${seeds.first} gets a response or an error with a reason`,
  async () => {
    const problems = await runTrials(seeds.all, async (seed) => {
      const request = createClientCase(seed);
      const [response, control] = await Promise.all([
        exchangeBytes(echo.gateway.url, request.bytes, request.endsEarly),
        seed % 2 === 0 ? findControlProblem(`control${seed}`) : undefined,
      ]);
      const problem = findResponseProblem(request, response) ?? control;
      return problem && report(seed, request, problem);
    });
    expect(problems).toEqual([]);
    expect(echo.faults).toEqual([]);
    expect(await findControlProblem('last')).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  },
  seeds.timeoutMs,
);

test(
  'pipelined requests on one connection get their own responses in order',
  async () => {
    const some = seeds.all.slice(0, Math.ceil(seeds.count / 10));
    const problems = await runTrials(some, async (seed) => {
      const random = createCaseRandom(seed, 1);
      await using connection = await RawConnection.open(echo.gateway.url);
      const requests = Array.from({ length: 6 }, (_, n) =>
        random.chance(0.5) ? `line${seed}.${n}` : createClientBody(random),
      );
      for (const request of requests) {
        const body =
          typeof request === 'string' ? JSON.stringify(createControlRequest(request).body) : request;
        connection.send({ headers: controlHeaders, body });
      }
      for (const request of requests) {
        const { body } = await connection.readResponse();
        const problem = typeof request === 'string' ? problemOfControl(request, body) : undefined;
        if (problem !== undefined) return `seed ${seed}: ${problem}`;
      }
      return undefined;
    });
    expect(problems).toEqual([]);
  },
  seeds.timeoutMs,
);

test(
  'sending the same requests again allocates no further resources',
  async () => {
    const some = seeds.all.slice(0, 100).map(createClientCase);
    const sendAll = async (times: number): Promise<number> => {
      for (let left = times; left > 0; left--) {
        await runTrials(some, async ({ bytes, endsEarly }) => {
          await exchangeBytes(echo.gateway.url, bytes, endsEarly);
          return undefined;
        });
      }
      return bytesAfterCollection();
    };
    const before = await sendAll(2);
    const after = await sendAll(4);
    // Three times the usual fluctuation, a third of the bodies that were sent.
    expect(after - before).toBeLessThan(2_000_000);
  },
  seeds.timeoutMs,
);

const controlHeaders = {
  'content-type': 'application/json',
  accept: 'multipart/mixed;deferSpec=20220824, application/json;q=0.9',
};

/** Sends a request with a known response between the random ones. */
async function findControlProblem(id: string): Promise<string | undefined> {
  const body = JSON.stringify(createControlRequest(id).body);
  const response = await fetch(echo.gateway.url, { method: 'POST', headers: controlHeaders, body });
  return problemOfControl(id, await response.text());
}

function problemOfControl(id: string, text: string): string | undefined {
  if (!text.startsWith('\r\n')) return `the control ${id} got ${text}`;
  const merged = mergePayloads(new MultipartReader().read(text));
  const got = JSON.stringify(sorted(merged));
  const { data } = createControlRequest(id);
  return got === JSON.stringify(sorted({ data })) ? undefined : `the control ${id} got ${got}`;
}

/** Sorts the members of objects, whose order depends on the payload that a field arrived in. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

async function bytesAfterCollection(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Twice: finalizers of the first collection may release further objects.
  for (let round = 0; round < 3; round++) {
    collect();
    await waitForTurns(5);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function report(seed: number, { name, bytes }: ClientCase, problem: string): string {
  const shown = JSON.stringify(bytes.toString('latin1')).slice(0, 3_000);
  return `seed ${seed} (${name}): ${problem}\n${shown}\n`;
}
