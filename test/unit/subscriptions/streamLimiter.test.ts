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
