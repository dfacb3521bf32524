import { describe, expect, test } from '@jest/globals';
import { notifyOnEnd, StreamLimiter } from '../../../gateway/subscriptions/streamLimiter.ts';

describe('StreamLimiter', () => {
  test('rejects streams beyond the limits per client and in total', () => {
    const streams = new StreamLimiter({ total: 3, perClient: 2 });
    const ofAda = [streams.open('ada'), streams.open('ada')];
    expect(() => streams.open('ada')).toThrow('subscriptions.perClient');
    streams.open('ben');
    expect(() => streams.open('cleo')).toThrow('subscriptions.total');
    ofAda[0]?.();
    streams.open('cleo');
    ofAda[1]?.();
    streams.open('ada');
    expect(() => streams.open('ada')).toThrow('subscriptions.total');
  });

  test('counts a stream as closed once, however often its close function is called', () => {
    const streams = new StreamLimiter({ total: 3, perClient: 2 });
    const close = streams.open('ada');
    streams.open('ada');
    close();
    close();
    streams.open('ada');
    expect(() => streams.open('ada')).toThrow('This client already has 2');
  });
});

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
