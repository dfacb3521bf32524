import { describe, expect, test } from '@jest/globals';
import { joinMessages, markUnchanged } from '../../../../contracts/evaluation/operationFindings.ts';
import { createFinding } from '../../../../contracts/finding.ts';

describe('the message of a finding', () => {
  test('lists each reason once, and has a period only at its end', () => {
    const unknown = 'Unknown directive "@client".';
    const field = 'Cannot query field "colour" on type "Shelf".';
    expect(joinMessages([unknown, field, unknown])).toBe(
      'Unknown directive "@client"; Cannot query field "colour" on type "Shelf".',
    );
    expect(joinMessages(['there is no subgraph "stock"'])).toBe('there is no subgraph "stock"');
  });

  test.each(['It does not compose.', 'It does not compose'])(
    'says in a sentence of its own that the problem existed before: %s',
    (message) => {
      const finding = createFinding('composition-error', { severity: 'breaking', message });
      expect(markUnchanged(finding)).toMatchObject({
        severity: 'dangerous',
        message: 'It does not compose. The problem existed before the change.',
      });
    },
  );

  test('has no period after a question of graphql-js', () => {
    const message = 'Cannot query field "nme". Did you mean "name"?';
    const finding = createFinding('composition-error', { severity: 'breaking', message });
    expect(markUnchanged(finding).message).toBe(`${message} The problem existed before the change.`);
  });
});
