/** Where a text stops being valid JSON. */
interface JsonProblem {
  /** Counted in UTF-16 code units from 0. */
  readonly position: number;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
  readonly found: string;
}

const space = /[ \t\n\r]*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings may not hold control characters.
const stringPart = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})){0,10000}/y;

/** Values and separators that are examined. For a text of small values, that takes up to ten times as long as `JSON.parse`:
 *  clients could block the event loop with long bodies that are not JSON. */
const maxSteps = 50_000;

/** Finds the first position at which `text` is not valid JSON; `undefined` when it is valid, or when it has more values and
 *  separators before the problem than are examined. The messages of `JSON.parse` do not always have a position, and quote
 *  the client's body. */
export function findJsonProblem(text: string): JsonProblem | undefined {
  const open: ('{' | '[')[] = [];
  let expectation: 'value' | 'valueOrEnd' | 'key' | 'keyOrEnd' | 'separatorOrEnd' = 'value';
  let at = 0;

  const take = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0].length ?? 0;
  };
  const takeString = (): boolean => {
    if (text[at] !== '"') return false;
    at++;
    // In parts, because the stack of an expression overflows for a group that is repeated some million times.
    for (let length = take(stringPart); length > 0; length = take(stringPart)) at += length;
    if (text[at] !== '"') return false;
    at++;
    return true;
  };

  for (let step = 0; step < maxSteps; step++) {
    at += take(space);
    const character = text[at];
    const container = open.at(-1);
    if (expectation === 'separatorOrEnd') {
      if (container === undefined) return at === text.length ? undefined : problemAt(text, at);
      if (character === ',') {
        at++;
        expectation = container === '{' ? 'key' : 'value';
      } else if (character === (container === '{' ? '}' : ']')) {
        at++;
        open.pop();
      } else return problemAt(text, at);
    } else if (expectation === 'key' || expectation === 'keyOrEnd') {
      if (character === '}' && expectation === 'keyOrEnd') {
        at++;
        open.pop();
        expectation = 'separatorOrEnd';
        continue;
      }
      if (!takeString()) return problemAt(text, at);
      at += take(space);
      if (text[at] !== ':') return problemAt(text, at);
      at++;
      expectation = 'value';
    } else if (character === ']' && expectation === 'valueOrEnd') {
      at++;
      open.pop();
      expectation = 'separatorOrEnd';
    } else if (character === '{' || character === '[') {
      at++;
      open.push(character);
      expectation = character === '{' ? 'keyOrEnd' : 'valueOrEnd';
    } else if (character === '"') {
      if (!takeString()) return problemAt(text, at);
      expectation = 'separatorOrEnd';
    } else {
      const length = take(scalar);
      if (length === 0) return problemAt(text, at);
      at += length;
      expectation = 'separatorOrEnd';
    }
  }
  return undefined;
}

function problemAt(text: string, position: number): JsonProblem {
  let [line, lineStart] = [1, 0];
  for (let at = 0; at < position; at++) {
    if (text[at] !== '\n') continue;
    line += 1;
    lineStart = at + 1;
  }
  const codePoint = text.codePointAt(position);
  return {
    position,
    line,
    column: position - lineStart + 1,
    found: codePoint === undefined ? 'end of the text' : JSON.stringify(String.fromCodePoint(codePoint)),
  };
}
