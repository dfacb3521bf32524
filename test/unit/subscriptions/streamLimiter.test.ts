import { describe, expect, test } from '@jest/globals';
import { StreamLimiter } from '../../../gateway/subscriptions/streamLimiter.ts';

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

  test('counts a large stream as several for the limits, and as one for the size', () => {
    const streams = new StreamLimiter({ total: 6, perClient: 4 });
    const close = streams.open('ada', 3);
    expect(() => streams.open('ada', 2)).toThrow('which counts as 2 of 4');
    streams.open('ada');
    expect(() => streams.open('ben', 3)).toThrow('which counts as 3 because of the size');
    expect(streams.size).toBe(2);
    close();
    streams.open('ben', 3);
    expect(streams.size).toBe(2);
  });

  test('counts a stream as closed once, however often its close function is called', () => {
    const streams = new StreamLimiter({ total: 3, perClient: 2 });
    const close = streams.open('ada');
    streams.open('ada');
    close();
    close();
    streams.open('ada');
    expect(() => streams.open('ada')).toThrow('This client already has 2 open streams');
  });
});
