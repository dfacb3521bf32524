import { expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';

test.each(['application/json', 'multipart/mixed;deferSpec=20220824, application/json'])(
  'an operation rejected as OVERLOADED gets 503 with retry-after when the client accepts %s',
  async (accept) => {
    await using server = await startScriptedServer(() => {
      throw new GatewayError('OVERLOADED', 'Too many operations wait to be planned. Try again in a moment.');
    });
    const response = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept },
      body: JSON.stringify({ query: '{ greeting }' }),
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toEqual({
      errors: [
        {
          message: 'Too many operations wait to be planned. Try again in a moment.',
          extensions: { code: 'OVERLOADED' },
        },
      ],
    });
  },
);
