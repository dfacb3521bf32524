import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { collectGarbage } from '../../../gateway/memory/collectGarbage.ts';

test.each(['regular', 'last-resort'] as const)(
  'a %s collection frees what nothing refers to, and leaves no `gc` in later contexts',
  async (flavor) => {
    const createReference = () => new WeakRef({});
    const reference = createReference();
    await new Promise((resolve) => setImmediate(resolve));

    collectGarbage(flavor);

    expect(reference.deref()).toBeUndefined();
    expect(runInNewContext('typeof gc')).toBe('undefined');
  },
);
