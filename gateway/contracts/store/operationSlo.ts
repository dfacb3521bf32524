import { type DefinitionNode, type Token, TokenKind } from 'graphql';
import { parseDuration } from '../../config/duration.ts';
import { nearestName } from '../../config/nearestName.ts';
import type { OperationSlo } from '../contractStore.ts';
import type { Finding, Place } from '../finding.ts';
import { problem } from './problem.ts';

export interface ReadSlo {
  readonly slo: OperationSlo;
  readonly problems: readonly Finding[];
  /** The comments that were read. */
  readonly comments: readonly Token[];
}

const keys = ['latency', 'staleness', 'mayDefer'] as const;
type SloKey = (typeof keys)[number];
const coordinatePattern = /^[_A-Za-z]\w*\.[_A-Za-z]\w*$/;

/** What the `# @slo` comments directly above a definition say. */
export function readSlo(definition: DefinitionNode, file: string): ReadSlo {
  const comments = commentsAbove(definition).filter(isSloComment);
  const said = new Map<SloKey, number | readonly string[]>();
  let mayDeferPlace: Place | undefined;
  const problems: Finding[] = [];
  for (const comment of comments) {
    const line = readLine(comment.value);
    const mistake =
      'mistake' in line ? line.mistake : said.has(line.key) ? `${line.key} is said twice` : undefined;
    if (mistake !== undefined) problems.push(invalid(comment, file, mistake));
    else if ('key' in line) {
      said.set(line.key, line.value);
      if (line.key === 'mayDefer') mayDeferPlace = placeOf(comment, file);
    }
  }
  const slo: OperationSlo = Object.fromEntries(said);
  return { slo: mayDeferPlace === undefined ? slo : { ...slo, mayDeferPlace }, problems, comments };
}

/** `# @slo` comments of a document that stand above no operation: nobody would notice that they say nothing. */
export function findMisplacedSlos(
  first: Token | undefined,
  read: ReadonlySet<Token>,
  file: string,
): Finding[] {
  const misplaced: Finding[] = [];
  for (let token = first ?? null; token !== null; token = token.next) {
    if (isSloComment(token) && !read.has(token)) {
      misplaced.push(invalid(token, file, 'it stands above no operation'));
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

function readLine(
  comment: string,
): { readonly key: SloKey; readonly value: number | readonly string[] } | { readonly mistake: string } {
  const [, name, text = ''] = /^\s*@slo\b\s*([^:]*?)\s*:\s*(.*?)\s*$/.exec(comment) ?? [];
  if (name === undefined) return { mistake: 'it has no `key: value`' };
  const key = keys.find((known) => known === name);
  if (key === undefined) {
    const nearest = nearestName(name, keys);
    return {
      mistake: `"${name}" is not known${nearest === undefined ? '' : `; did you mean \`${nearest}\`?`}`,
    };
  }
  if (key !== 'mayDefer') {
    const value = parseDuration(text);
    return value === undefined ? { mistake: `"${text}" is no duration` } : { key, value };
  }
  const coordinates = text === '' ? [] : text.split(',').map((coordinate) => coordinate.trim());
  const wrong = coordinates.find((coordinate) => !coordinatePattern.test(coordinate));
  return wrong === undefined
    ? { key, value: coordinates }
    : { mistake: `"${wrong}" is no coordinate of a field` };
}

function placeOf({ line, column }: Token, file: string): Place {
  return { file, line, column };
}

function invalid(comment: Token, file: string, mistake: string): Finding {
  return problem({
    rule: 'slo-invalid',
    message: `This @slo line cannot be used: ${mistake}${mistake.endsWith('?') ? '' : '.'}`,
    advice:
      'Write, directly above the operation, `# @slo latency: 200ms`, `# @slo staleness: 1m` or `# @slo mayDefer: Product.recommended`.',
    place: placeOf(comment, file),
  });
}
