import { expect, test } from '@jest/globals';
import { JobKeys } from '../../../../gateway/enrichment/jobs/jobKeys.ts';
import type { RedisJobContext } from '../../../../gateway/enrichment/jobs/redisJobContext.ts';
import { RedisTokens } from '../../../../gateway/enrichment/jobs/redisTokens.ts';

/** Tokens in a Redis that executes a command when the test lets it. */
function open(maxInFlight = 10) {
  const stored = new Map<unknown, Buffer>();
  const commands: (readonly unknown[])[] = [];
  const gate = Promise.withResolvers<void>();
  const sendCommand = async (command: string, args: readonly unknown[]): Promise<unknown> => {
    commands.push([command, ...args.slice(2)]);
    await gate.promise;
    if (command === 'get') return stored.get(args[0]) ?? null;
    return void stored.set(args[0], Buffer.from(String(args[1])));
  };
  const tokens = new RedisTokens({
    redis: { sendCommand },
    keys: new JobKeys('prefix:'),
    expireAfterMs: 60_000,
    maxInFlight,
  } as unknown as RedisJobContext & { readonly expireAfterMs: number; readonly maxInFlight: number });
  return { tokens, commands, answer: () => gate.resolve() };
}

const token = (tokenHash: string, traceparent?: string) => ({ tokenHash, ownerHash: 'owner', traceparent });

test('a token is found with its run, its owner and its trace, and no other one is', async () => {
  const { tokens, answer } = open();
  answer();
  await tokens.write(token('a'), 'a.1');
  await tokens.write(token('b', '00-1-2-01'), 'b.1');
  expect([await tokens.find('a'), await tokens.find('b'), await tokens.find('c')]).toEqual([
    { runId: 'a.1', ownerHash: 'owner', traceparent: undefined },
    { runId: 'b.1', ownerHash: 'owner', traceparent: '00-1-2-01' },
    undefined,
  ]);
});

test('a token expires when it does in its process, and one that has expired is not written', async () => {
  const { tokens, commands, answer } = open();
  answer();
  await tokens.write(token('a'), 'a.1');
  await tokens.write(token('a'), 'a.1', 0.5);
  await tokens.write(token('a'), 'a.1', 0);
  await tokens.write(token('a'), 'a.1', -1);
  expect(commands).toEqual([
    ['set', 'PX', 60_000],
    ['set', 'PX', 1],
  ]);
});

test('while Redis does not answer, tokens beyond the limit are not written, and later ones are', async () => {
  const { tokens, commands, answer } = open(2);
  const writes = ['a', 'b', 'c'].map((tokenHash) => tokens.write(token(tokenHash), 'a.1'));
  expect(commands).toHaveLength(2);
  answer();
  await Promise.all(writes);
  await tokens.write(token('d'), 'a.1');
  expect(commands).toHaveLength(3);
});
