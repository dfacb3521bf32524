import { PassThrough } from 'node:stream';
import { WriteStream } from 'node:tty';
import { describe, expect, test } from '@jest/globals';
import {
  type ReportArgument,
  readReportOutputs,
  supportsColor,
} from '../../../../gateway/cli/contracts/reportOutputs.ts';

/** Report arguments such as `format:json` and `out:file`. */
const given = (...texts: readonly string[]) =>
  texts.map((text) => {
    const [option, value] = text.split(':');
    return { option, value } as ReportArgument;
  });

describe('readReportOutputs', () => {
  test.each([
    ['nothing said', [], [{ format: 'text' }]],
    ['a file only', ['out:a.txt'], [{ format: 'text', file: 'a.txt' }]],
    [
      'files for the formats before them',
      ['format:github', 'format:junit', 'out:a.xml', 'format:sarif', 'out:a.sarif', 'format:text'],
      [
        { format: 'github' },
        { format: 'junit', file: 'a.xml' },
        { format: 'sarif', file: 'a.sarif' },
        { format: 'text' },
      ],
    ],
  ])('%s', (_title, texts, outputs) => {
    expect(readReportOutputs(given(...texts))).toEqual(outputs);
  });

  test.each([
    [
      ['format:xml'],
      '--format xml is not known; expected: one of text, json, junit, sarif, github, markdown, gitlab.',
    ],
    [
      ['format:json', 'out:a', 'out:b'],
      '--out b: json is already written to a. Put another --format before this --out.',
    ],
    [['out:b/a', 'format:json', 'out:./b/../b/a'], '--out ./b/../b/a: text and json cannot share one file.'],
  ])('refuses %j', (texts, message) => {
    expect(() => readReportOutputs(given(...texts))).toThrow(
      expect.objectContaining({ message, exitCode: 2 }),
    );
  });
});

/** A fake terminal. */
function terminal(colours: boolean): WriteStream {
  return Object.create(WriteStream.prototype, { hasColors: { value: () => colours } });
}

test('supportsColor is true only for a terminal with colours', () => {
  expect(supportsColor(terminal(true))).toBe(true);
  expect(supportsColor(terminal(false))).toBe(false);
  expect(supportsColor(new PassThrough())).toBe(false);
});
