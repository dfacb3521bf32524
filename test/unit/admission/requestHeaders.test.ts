import { describe, expect, test } from '@jest/globals';
import { wantsAutoDefer } from '../../../gateway/admission/deferPreference.ts';
import { requestBudgetOf } from '../../../gateway/admission/requestBudget.ts';
import { requestPriorityOf } from '../../../gateway/admission/requestPriority.ts';
import { GatewayError } from '../../../gateway/errors.ts';

function refusalOf(read: () => unknown): { status: number; message: string; code: string } | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { status, message, code } = error;
    return { status, message, code };
  }
}

describe('tributary-budget', () => {
  const read = (text: string | undefined, bounds = { min: 20, max: 10_000 }) =>
    requestBudgetOf(new Map(text === undefined ? [] : [['tributary-budget', text]]), bounds);

  test.each([
    [undefined, undefined],
    ['80ms', 80],
    [' 1s ', 1_000],
    ['0.5s', 500],
    ['20ms', 20],
    ['10s', 10_000],
  ])('%p is %p', (text, ms) => {
    expect(read(text)).toBe(ms);
  });

  test('may be nothing where the bounds allow it', () => {
    expect(read('0ms', { min: 0, max: 10 })).toBe(0);
  });

  test.each(['', '80', '80 ms', '-5ms', 'soon', '1s, 2s', '19ms', '10001ms', '11s', '0ms', 'Infinityms'])(
    '%p is refused with the bounds',
    (text) => {
      expect(refusalOf(() => read(text))).toEqual({
        status: 400,
        code: 'BAD_REQUEST',
        message: 'The header "tributary-budget" is not right. Expected a duration from 20ms to 10s.',
      });
    },
  );
});

describe('tributary-priority', () => {
  const read = (text: string | undefined) =>
    requestPriorityOf(new Map(text === undefined ? [] : [['tributary-priority', text]]));

  test.each([
    [undefined, undefined],
    ['critical', 'CRITICAL'],
    ['normal', 'NORMAL'],
    ['background', 'BACKGROUND'],
    [' BACKGROUND', 'BACKGROUND'],
  ])('%p is %p', (text, priority) => {
    expect(read(text)).toBe(priority);
  });

  test.each(['', 'high', '1', 'constructor', 'critical, normal'])('%p is refused', (text) => {
    expect(refusalOf(() => read(text))).toEqual({
      status: 400,
      code: 'BAD_REQUEST',
      message: 'The header "tributary-priority" is not right. Expected one of critical, normal, background.',
    });
  });
});

describe('tributary-defer', () => {
  const read = (text: string | undefined) =>
    wantsAutoDefer(new Map(text === undefined ? [] : [['tributary-defer', text]]));

  test.each([
    [undefined, false],
    ['auto', true],
    [' Auto', true],
  ])('%p is %p', (text, isWanted) => {
    expect(read(text)).toBe(isWanted);
  });

  test.each(['', 'true', 'off', 'auto, auto'])('%p is refused', (text) => {
    expect(refusalOf(() => read(text))).toEqual({
      status: 400,
      code: 'BAD_REQUEST',
      message: 'The header "tributary-defer" is not right. Expected auto, or no such header.',
    });
  });
});
