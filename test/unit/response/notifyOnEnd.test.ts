import { describe, expect, test } from '@jest/globals';
import { notifyOnEnd } from '../../../gateway/response/notifyOnEnd.ts';

describe('notifyOnEnd', () => {
  async function* numbers(failsAt = 3) {
    for (let number = 1; number <= 3; number++) {
      yield number;
      if (number === failsAt - 1) throw new Error('broken');
    }
  }
  const endsOf = () => {
    const ends: string[] = [];
    return { ends, onEnd: () => void ends.push('end') };
  };

  test('calls onEnd after the last event', async () => {
    const { ends, onEnd } = endsOf();
    const seen: number[] = [];
    for await (const number of notifyOnEnd(numbers(5), onEnd)) {
      expect(ends).toEqual([]);
      seen.push(number);
    }
    expect([seen, ends]).toEqual([[1, 2, 3], ['end']]);
  });

  test('calls onEnd when the events fail, and when the consumer stops', async () => {
    const { ends, onEnd } = endsOf();
    const broken = notifyOnEnd(numbers(2), onEnd)[Symbol.asyncIterator]();
    expect((await broken.next()).value).toBe(1);
    await expect(broken.next()).rejects.toThrow('broken');
    expect(ends).toEqual(['end']);
    for await (const _ of notifyOnEnd(numbers(), onEnd)) break;
    expect(ends).toEqual(['end', 'end']);
  });
});
