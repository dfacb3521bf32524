import { describe, expect, test } from '@jest/globals';
import { durationMsOf, formatDuration, parseDuration } from '../../../gateway/config/duration.ts';
import { formatSize, parseSize } from '../../../gateway/config/size.ts';

describe('durations', () => {
  test('are parsed to milliseconds', () => {
    expect(['250ms', '2s', '1.5s', '5m', '1h', '2d', '0s', ' 3s '].map(parseDuration)).toEqual([
      250, 2_000, 1_500, 300_000, 3_600_000, 172_800_000, 0, 3_000,
    ]);
  });

  test('are refused without a unit, with an unknown unit, when negative, and with several parts', () => {
    expect(['250', '2 s', '5w', '-1s', '1m30s', '2S', '', 's'].map(parseDuration)).toEqual(
      Array(8).fill(undefined),
    );
  });

  test('are finite numbers or texts in a configuration', () => {
    expect([250, '250', '2s', Number.NaN, Number.POSITIVE_INFINITY, true].map(durationMsOf)).toEqual([
      250,
      250,
      2_000,
      ...Array(3).fill(undefined),
    ]);
  });

  test('are formatted in the largest unit without a remainder', () => {
    expect([0, 250, 1_500, 2_000, 90_000, 300_000, 3_600_000, 86_400_000].map(formatDuration)).toEqual([
      '0ms',
      '250ms',
      '1500ms',
      '2s',
      '90s',
      '5m',
      '1h',
      '1d',
    ]);
  });
});

describe('sizes', () => {
  test('are parsed to bytes in steps of 1024', () => {
    expect(['512B', '64KB', '1MB', '1.5MB', '2GB'].map(parseSize)).toEqual([
      512, 65_536, 1_048_576, 1_572_864, 2_147_483_648,
    ]);
  });

  test('are refused without a unit, with an unknown unit and when negative', () => {
    expect(['64', '1 MB', '1mb', '1TB', '-1MB', '', 'MB'].map(parseSize)).toEqual(Array(7).fill(undefined));
  });

  test('are formatted in the largest unit without a remainder', () => {
    expect([0, 1_000, 1_024, 1_048_576, 1_572_864, 2_147_483_648].map(formatSize)).toEqual([
      '0B',
      '1000B',
      '1KB',
      '1MB',
      '1536KB',
      '2GB',
    ]);
  });
});
