import { describe, expect, test } from '@jest/globals';
import { readClientPreferences } from '../../../gateway/admission/clientPreferences.ts';
import { GatewayError } from '../../../gateway/errors.ts';

const defaultBounds = { min: 20, max: 10_000 };

function read(name: string, value: string | undefined, bounds = defaultBounds) {
  return readClientPreferences(new Map(value === undefined ? [] : [[name, value]]), bounds);
}

function refusalOf(
  name: string,
  value: string,
): Pick<GatewayError, 'status' | 'message' | 'code'> | undefined {
  try {
    read(name, value);
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { status, message, code } = error;
    return { status, message, code };
  }
}

test('a request without tributary headers has no preferences', () => {
  expect(readClientPreferences(new Map(), defaultBounds)).toEqual({
    budgetMs: undefined,
    priority: undefined,
    isAutoDefer: false,
  });
});

describe('the header tributary-budget', () => {
  test.each([
    ['80ms', 80],
    ['80', 80],
    [' 9999 ', 9_999],
    [' 1s ', 1_000],
    ['0.5s', 500],
    ['20ms', 20],
    ['10s', 10_000],
  ])('with the value %p is a budget of %p milliseconds', (text, ms) => {
    expect(read('tributary-budget', text).budgetMs).toBe(ms);
  });

  test('may be 0ms if the bounds allow it', () => {
    expect(read('tributary-budget', '0ms', { min: 0, max: 10 }).budgetMs).toBe(0);
  });

  test.each([
    '',
    ' ',
    '19',
    '10001',
    '80.5',
    '80 ms',
    '-5ms',
    'soon',
    '1s, 2s',
    '19ms',
    '10001ms',
    '11s',
    '0ms',
    'Infinityms',
  ])('with the value %p is refused with the bounds in the message', (text) => {
    expect(refusalOf('tributary-budget', text)).toEqual({
      status: 400,
      code: 'BAD_REQUEST',
      message:
        'The header "tributary-budget" has an invalid value. Expected a duration from 20ms to 10s, such as 80ms or 1s.',
    });
  });
});

describe('the header tributary-priority', () => {
  test.each([
    ['critical', 'critical'],
    ['normal', 'normal'],
    ['background', 'background'],
    [' BACKGROUND', 'background'],
  ])('with the value %p is the priority %p', (text, priority) => {
    expect(read('tributary-priority', text).priority).toBe(priority);
  });

  test.each(['', 'high', '1', 'constructor', 'critical, normal'])('with the value %p is refused', (text) => {
    expect(refusalOf('tributary-priority', text)).toEqual({
      status: 400,
      code: 'BAD_REQUEST',
      message:
        'The header "tributary-priority" has an invalid value. Expected one of critical, normal, background.',
    });
  });
});

describe('the header tributary-defer', () => {
  test.each(['auto', ' Auto'])('with the value %p accepts payloads without @defer', (text) => {
    expect(read('tributary-defer', text).isAutoDefer).toBe(true);
  });

  test.each(['', 'true', 'off', 'auto, auto'])('with the value %p is refused', (text) => {
    expect(refusalOf('tributary-defer', text)).toEqual({
      status: 400,
      code: 'BAD_REQUEST',
      message: 'The header "tributary-defer" has an invalid value. Expected auto, or no such header.',
    });
  });
});
