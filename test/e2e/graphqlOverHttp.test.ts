import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type AuditResult, serverAudits } from 'graphql-http';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';

type Deviation = readonly [status: Exclude<AuditResult['status'], 'ok'>, reason: string];

const needsPreflight: Deviation = [
  'notice',
  'security.csrf: a GET needs a header that makes browsers ask first',
];
const refusalIsBadRequest: Deviation = [
  'warn',
  'http.requestErrorStatus: 400 is the status of Apollo Server',
];

const getDeviations: readonly [string, Deviation][] = [
  ['5A70', needsPreflight],
  ['D6D5', needsPreflight],
  ['6A70', needsPreflight],
];

/** By the id of the audit. All other audits pass. */
const configurations: readonly [requestErrorStatus: 400 | 200, ReadonlyMap<string, Deviation>][] = [
  [
    400,
    new Map([
      ...getDeviations,
      ['572B', refusalIsBadRequest],
      ['FDE2', refusalIsBadRequest],
      ['7B9B', refusalIsBadRequest],
    ]),
  ],
  [200, new Map(getDeviations)],
];

describe.each(configurations)(
  'the audits of GraphQL over HTTP with http.requestErrorStatus: %d',
  (requestErrorStatus, deviations) => {
    let gateway: TestGateway | undefined;

    beforeAll(async () => {
      gateway = await startTestGateway({
        config: { http: { requestErrorStatus }, security: { introspection: true } },
      });
    });

    afterAll(() => gateway?.close());

    const audits = serverAudits({ url: () => gateway?.url ?? '' });

    test('include every known deviation', () => {
      expect(audits.map(({ id }) => id)).toEqual(expect.arrayContaining([...deviations.keys()]));
    });

    test.each(audits.map(({ id, name, fn }) => [id, name, fn] as const))('%s: %s', async (id, _, audit) => {
      const [status, reason] = deviations.get(id) ?? ['ok'];
      const result = await audit();
      const found = 'reason' in result ? `${result.status}: ${result.reason}` : 'ok';
      // The reason of a known deviation, so that a failure shows what the audit says or what no longer applies.
      expect(result.status === status ? (reason ?? found) : found).toBe(reason ?? 'ok');
    });
  },
);
