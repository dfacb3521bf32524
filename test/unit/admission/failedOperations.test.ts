import { describe, expect, test } from '@jest/globals';
import { buildSchema, print } from 'graphql';
import { GatewayError } from '../../../gateway/errors.ts';
import type { Planner } from '../../../gateway/planning/planner.ts';
import { createLocalPipeline } from '../../harness/localPipeline.ts';
import { exchange } from '../../harness/rawHttp.ts';
import { type ScriptedServer, startScriptedServer, testSdl } from '../../harness/scriptedServer.ts';

/** A planner that fails, or never answers, and counts how often it is called. */
class FailingPlanner implements Planner {
  calls = 0;
  readonly #plan: () => Promise<never>;

  constructor(plan: () => Promise<never>) {
    this.#plan = plan;
  }

  plan(): Promise<never> {
    this.calls += 1;
    return this.#plan();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A server whose operations are planned by `planner`. */
function serveWith(planner: Planner, deadlineMs = 60_000): Promise<ScriptedServer> {
  const apiSchema = buildSchema(testSdl);
  const pipeline = createLocalPipeline({
    planner,
    sdl: testSdl,
    apiSchema,
    subgraphs: new Map([['greetings', apiSchema]]),
    deadlineMs: () => deadlineMs,
  });
  return startScriptedServer(({ document, variables }) => pipeline.respond(print(document), variables));
}

async function send(server: ScriptedServer, body: object) {
  const response = await exchange(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const headers = Object.fromEntries(response.headers);
  delete headers.date;
  delete headers['x-request-id'];
  return { status: response.status, headers, body: response.body };
}

describe('an operation that fails although it was validated before', () => {
  test('is planned once when the planner is overloaded, and its response is the same as the first time', async () => {
    const planner = new FailingPlanner(() => Promise.reject(new GatewayError('OVERLOADED', 'Try again.')));
    await using server = await serveWith(planner);
    const first = await send(server, { query: '{ greeting }' });
    expect([first.status, planner.calls]).toEqual([503, 1]);
    const second = await send(server, { query: '{ greeting }' });
    expect(planner.calls).toBe(2);
    expect(server.receivedOperations.length).toBe(2);
    expect(second).toEqual(first);
    expect(second.headers['retry-after']).toBe('1');
  });

  test('is refused after one deadline when planning takes too long', async () => {
    const planner = new FailingPlanner(() => new Promise(() => {}));
    await using server = await serveWith(planner, 30);
    const first = await send(server, { query: '{ greeting }' });
    const second = await send(server, { query: '{ greeting }' });
    expect(server.receivedOperations.length).toBe(2);
    expect(second).toEqual(first);
    expect(second.status).toBe(504);
    expect(JSON.parse(second.body.toString()).errors[0].extensions).toEqual({ code: 'DEADLINE_EXCEEDED' });
  });

  test('is executed once when its variables do not fit, and its response is the same as the first time', async () => {
    const planner = new FailingPlanner(() => Promise.reject(new Error('must not be planned')));
    await using server = await serveWith(planner);
    const body = {
      query: 'query V($name: String!) { greeting(name: $name) }',
      variables: { name: ['no text'] },
    };
    const first = await send(server, body);
    const second = await send(server, body);
    expect(server.receivedOperations.length).toBe(2);
    expect(planner.calls).toBe(0);
    expect(second).toEqual(first);
    expect(second.status).toBe(400);
  });
});
