import { type DefinitionNode, type Token, TokenKind } from 'graphql';
import { parseDuration } from '../../gateway/config/duration.ts';
import { suggestName } from '../../gateway/config/findNearestName.ts';
import type { OperationSlo } from '../contractStore.ts';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';

interface SloResult {
  readonly slo: OperationSlo;
  readonly problems: readonly Finding[];
  /** The `@slo` comments that were read. */
  readonly comments: readonly Token[];
}

const sloKeys = ['latency', 'staleness', 'mayDefer'] as const;
type SloKey = (typeof sloKeys)[number];
const coordinatePattern = /^[_A-Za-z]\w*\.[_A-Za-z]\w*$/;

/** Reads the `# @slo` comments directly above a definition. */
export function readSlo(definition: DefinitionNode, file: string): SloResult {
  const comments = commentsAbove(definition).filter(isSloComment);
  const values = new Map<SloKey, number | readonly string[]>();
  let mayDeferLocation: FileLocation | undefined;
  const problems: Finding[] = [];
  for (const comment of comments) {
    const line = readSloLine(comment.value);
    const mistake =
      'mistake' in line ? line.mistake : values.has(line.key) ? `${line.key} is given twice` : undefined;
    if (mistake !== undefined) problems.push(invalidSlo(comment, file, mistake));
    else if ('key' in line) {
      values.set(line.key, line.value);
      if (line.key === 'mayDefer') mayDeferLocation = locationOf(comment, file);
    }
  }
  const slo: OperationSlo = Object.fromEntries(values);
  return {
    slo: mayDeferLocation === undefined ? slo : { ...slo, mayDeferLocation },
    problems,
    comments,
  };
}

/** Finds `# @slo` comments that are not above an operation, and so have no effect. */
export function findMisplacedSlos(
  first: Token | undefined,
  read: ReadonlySet<Token>,
  file: string,
): Finding[] {
  const misplaced: Finding[] = [];
  for (let token = first ?? null; token !== null; token = token.next) {
    if (isSloComment(token) && !read.has(token)) {
      misplaced.push(invalidSlo(token, file, 'it is not above an operation'));
    }
  }
  return misplaced;
}

function commentsAbove(definition: DefinitionNode): Token[] {
  const comments: Token[] = [];
  let token = definition.loc?.startToken.prev ?? null;
  while (token?.kind === TokenKind.COMMENT) {
    comments.unshift(token);
    token = token.prev;
  }
  return comments;
}

function isSloComment(token: Token): boolean {
  return token.kind === TokenKind.COMMENT && /^\s*@slo\b/.test(token.value);
}

function readSloLine(
  comment: string,
): { readonly key: SloKey; readonly value: number | readonly string[] } | { readonly mistake: string } {
  const [, name, text = ''] = /^\s*@slo\b\s*([^:]*?)\s*:\s*(.*?)\s*$/.exec(comment) ?? [];
  if (name === undefined) return { mistake: 'it is not of the form `key: value`' };
  const key = sloKeys.find((known) => known === name);
  if (key === undefined) {
    return { mistake: `"${name}" is not known${suggestName(name, sloKeys)}` };
  }
  if (key !== 'mayDefer') {
    const value = parseDuration(text);
    return value === undefined ? { mistake: `"${text}" is not a duration` } : { key, value };
  }
  const coordinates = text === '' ? [] : text.split(',').map((coordinate) => coordinate.trim());
  const wrong = coordinates.find((coordinate) => !coordinatePattern.test(coordinate));
  return wrong === undefined
    ? { key, value: coordinates }
    : { mistake: `"${wrong}" is not the coordinate of a field` };
}

function locationOf({ line, column }: Token, file: string): FileLocation {
  return { file, line, column };
}

function invalidSlo(comment: Token, file: string, mistake: string): Finding {
  return createFinding('slo-invalid', {
    message: `This @slo line cannot be used: ${mistake}${mistake.endsWith('?') ? '' : '.'}`,
    location: locationOf(comment, file),
  });
}
